// Arrows are messages, each from its sender's band towards its receiver's, as far as it came.

// arrow returns where a message's arrow begins and ends.
function arrow(i) {
	const from = messages.from[i], to = messages.to[i], down = laneY[to] > laneY[from] ? 1 : -1;
	const y0 = yOf(from) + down * half(from), y1 = from === to ? y0 + 5 * down : yOf(to) - down * half(to), way = messages.way[i];
	const x0 = xOf(messages.begins[i]), x1 = xOf(messages.ends[i]);
	if (messages.fate[i] === REFUSED) return [x0, y0, x1, y1 - 5 * down]; // its sign stands before the band
	const whole = messages.fate[i] === ARRIVED || way === 0.4;
	return [x0, y0, whole ? x1 : x0 + (x1 - x0) * way, y0 + (y1 - y0) * way];
}

// drawArrows draws the messages in sight. A kind with too many messages to tell apart is drawn as a crowd,
// and the rare kinds are drawn over the crowds, one by one.
function drawArrows() {
	const from = placeAt(GUTTER), to = placeAt(size.width);
	const seenOf = kind => (kind.shown ? lastAt(kind.begins, to) - lastAt(kind.begins, from) : 0);
	const seen = kinds.reduce((n, kind) => n + seenOf(kind), 0);
	const crowds = new Set(seen > 3000 ? kinds.filter(kind => seenOf(kind) > CROWD) : []);
	const look = {crowds, heads: seen < 1500, labels: seen < 260, alpha: Math.max(0.24, Math.min(0.9, 0.9 * Math.sqrt(300 / Math.max(1, seen))))};
	pen.save();
	pen.beginPath();
	pen.rect(GUTTER, size.top, size.width - GUTTER, size.height - size.top);
	pen.clip();
	const failed = [];
	drawCrowds(from, to, crowds);
	for (const kind of drawingOrder) if (kind.shown) drawKind(kind, from, to, look, failed);
	drawFailed(failed, look);
	if (look.labels) drawLabels(from, to);
	pen.restore();
}

// drawKind draws the arrows of one kind. During a search it draws them in two passes, and messages that do
// not match fade. Messages that did not arrive are left to be drawn over all others.
function drawKind(kind, from, to, look, failed) {
	const plain = [], found = [], last = new Float64Array(lanes.length ** 2).fill(-1e9), crowd = look.crowds.has(kind);
	pen.strokeStyle = pen.fillStyle = colourOf(kind);
	eachMessage(kind, from, to, i => {
		if (messages.fate[i] !== ARRIVED) failed.push(i);
		else if (search.matches?.[i] === 1) {
			if (apart(last, i, 1)) found.push(i);
		} else if (!crowd) plain.push(i);
	});
	strokeAll(plain, search.matches ? 0.13 : look.alpha, kind.family === "heartbeat" ? 0.8 : 1.2, look.heads);
	strokeAll(found, 1, 2.2, look.heads);
}

// apart reports whether a message is far enough from the last one, between the same two lanes, for which it
// returned true.
function apart(last, i, pixels) {
	const pair = messages.from[i] * lanes.length + messages.to[i], x = xOf(messages.begins[i]);
	if (x - last[pair] < pixels) return false;
	last[pair] = x;
	return true;
}

function strokeAll(some, alpha, width, heads) {
	pen.globalAlpha = alpha;
	pen.lineWidth = width;
	for (let first = 0; first < some.length; first += 400) {
		pen.beginPath();
		for (const i of some.slice(first, first + 400)) {
			const [x0, y0, x1, y1] = arrow(i);
			pen.moveTo(x0, y0);
			pen.lineTo(x1, y1);
		}
		pen.stroke();
	}
	if (heads) {
		pen.beginPath();
		for (const i of some) head(...arrow(i), 6 + width);
		pen.fill();
	}
	pen.globalAlpha = 1;
}

// head adds an arrow's head to the path.
function head(x0, y0, x1, y1, length) {
	const angle = Math.atan2(y1 - y0, x1 - x0), spread = 0.38;
	pen.moveTo(x1, y1);
	pen.lineTo(x1 - length * Math.cos(angle - spread), y1 - length * Math.sin(angle - spread));
	pen.lineTo(x1 - length * Math.cos(angle + spread), y1 - length * Math.sin(angle + spread));
}

// drawFailed draws messages that did not arrive: a broken line, and a sign where it ended. Of many it draws
// the signs of some.
function drawFailed(failed, look) {
	const many = failed.length > 500, last = [0, 1, 2, 3, 4].map(() => new Float64Array(lanes.length ** 2).fill(-1e9));
	const found = i => !search.matches || search.matches[i] === 1;
	const some = [...failed.filter(i => !found(i)), ...failed.filter(found)].filter(i => !many || apart(last[messages.fate[i]], i, 4));
	if (!many) strokeBroken(some, look, found);
	for (const i of some) {
		const [, , x, y] = arrow(i);
		fate(messages.fate[i], x, y, found(i) ? (many ? 0.7 : 1) : 0.2, look.heads ? 4 : 2.5);
	}
	pen.globalAlpha = 1;
}

function strokeBroken(some, look, found) {
	pen.lineWidth = 1.3;
	pen.setLineDash([4, 3]);
	for (const i of some) {
		const [x0, y0, x1, y1] = arrow(i);
		pen.globalAlpha = found(i) ? Math.max(look.alpha, 0.5) : 0.13;
		pen.strokeStyle = colourOf(kindOfMessage[i]);
		pen.beginPath();
		pen.moveTo(x0, y0);
		pen.lineTo(x1, y1);
		pen.stroke();
	}
	pen.setLineDash([]);
}

// fate draws how a message ended: lost ✕, cut off |, refused ○, under way ·.
function fate(how, x, y, alpha, r) {
	pen.globalAlpha = alpha;
	pen.strokeStyle = pen.fillStyle = how === UNDER_WAY ? ink.faint : ink.bad;
	pen.lineWidth = 1.8;
	pen.beginPath();
	if (how === LOST) {
		pen.moveTo(x - r, y - r);
		pen.lineTo(x + r, y + r);
		pen.moveTo(x - r, y + r);
		pen.lineTo(x + r, y - r);
	} else if (how === CUT) {
		pen.moveTo(x - 1.4 * r, y);
		pen.lineTo(x + 1.4 * r, y);
	} else {
		pen.arc(x, y, how === REFUSED ? r : r / 2, 0, 7);
	}
	if (how === UNDER_WAY) pen.fill();
	else pen.stroke();
}

// drawLabels writes the kind along each arrow that is long enough, where no other label is.
function drawLabels(from, to) {
	pen.font = "10px system-ui, sans-serif";
	pen.textAlign = "center";
	pen.textBaseline = "bottom";
	const taken = [];
	for (const kind of drawingOrder.toReversed()) {
		if (!kind.shown) continue;
		const width = pen.measureText(kind.name).width;
		eachMessage(kind, from, to, i => {
			const [x0, y0, x1, y1] = arrow(i), length = Math.hypot(x1 - x0, y1 - y0);
			if (length < width + 26 || (search.matches && !search.matches[i])) return;
			const angle = upright(Math.atan2(y1 - y0, x1 - x0));
			const at = PARTS.map(p => [x0 + (x1 - x0) * p, y0 + (y1 - y0) * p]).find(([x, y]) => takes(taken, x, y, width, angle));
			if (at) writeAlong(kind, at, angle);
		});
	}
}

const PARTS = [0.5, 0.36, 0.64, 0.22, 0.78]; // of the way, where a label may stand

const upright = angle => (Math.abs(angle) > Math.PI / 2 ? angle - Math.sign(angle) * Math.PI : angle);

// takes reserves the place of a label next to x, y, and reports whether that was free of bands and other
// labels. A label is treated as a row of circles.
function takes(taken, x, y, width, angle) {
	const dx = Math.cos(angle), dy = Math.sin(angle), circles = [];
	for (let along = -width / 2; along <= width / 2 + 4; along += 8) circles.push([x + dx * along + dy * 6, y + dy * along - dx * 6]);
	const free = ([a, b]) => laneAt(b) < 0 && b > size.top && !taken.some(([c, d]) => Math.abs(a - c) < 11 && Math.abs(b - d) < 11);
	if (!circles.every(free)) return false;
	taken.push(...circles);
	return true;
}

function writeAlong(kind, [x, y], angle) {
	pen.save();
	pen.translate(x, y);
	pen.rotate(angle);
	pen.lineWidth = 3;
	pen.lineJoin = "round";
	pen.strokeStyle = ink.paper;
	pen.strokeText(kind.name, 0, -1);
	pen.fillStyle = colourOf(kind);
	pen.fillText(kind.name, 0, -1);
	pen.restore();
}
