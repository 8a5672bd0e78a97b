// A crowd is a kind with too many messages to tell apart. Between two lanes, columns of pixels are shaded in
// the kind's colour, darker the more messages pass there.
const CROWD = 300; // arrows of one kind
const columns = document.createElement("canvas"); // a row of pixels for each room between lanes

function drawCrowds(from, to, crowds) {
	const rooms = lanes.length - 1, width = Math.ceil(size.width);
	if (crowds.size === 0 || rooms < 1) return;
	columns.width = width;
	columns.height = rooms;
	const c = columns.getContext("2d"), image = c.createImageData(width, rooms);
	for (const kind of drawingOrder) if (crowds.has(kind)) shade(image, count(kind, from, to, width, rooms), rgb(colourOf(kind)));
	c.putImageData(image, 0, 0);
	pen.imageSmoothingEnabled = false;
	if (search.matches) pen.globalAlpha = 0.3;
	for (let room = 0; room < rooms; room++) {
		const top = yOf(room) + half(room), bottom = yOf(room + 1) - half(room + 1);
		pen.drawImage(columns, 0, room, width, 1, 0, top, width, bottom - top);
	}
	pen.globalAlpha = 1;
}

// count returns how many messages of a kind pass each column of each room.
function count(kind, from, to, width, rooms) {
	const counts = new Uint16Array(width * rooms);
	eachMessage(kind, from, to, i => {
		const x = Math.round(xOf((messages.begins[i] + messages.ends[i]) / 2));
		if (x < 0 || x >= width || messages.fate[i] !== ARRIVED) return;
		const upper = Math.min(messages.from[i], messages.to[i]), lower = Math.max(messages.from[i], messages.to[i]);
		for (let room = upper; room < lower; room++) counts[room * width + x]++;
	});
	return counts;
}

// shade lays a colour over an image, where there are counts.
function shade({data}, counts, colour) {
	for (let at = 0; at < counts.length; at++) {
		if (counts[at] === 0) continue;
		const over = Math.min(0.6, 0.14 + 0.06 * counts[at]), below = data[4 * at + 3] / 255 * (1 - over), alpha = over + below;
		for (let k = 0; k < 3; k++) data[4 * at + k] = (colour[k] * over + data[4 * at + k] * below) / alpha;
		data[4 * at + 3] = 255 * alpha;
	}
}

const rgb = hex => [1, 3, 5].map(i => parseInt(hex.slice(i, i + 2), 16));
