// Marks are events at one moment: small signs in the lower half of a replica's band; faults and violations
// are lines from top to bottom.

const signY = lane => yOf(lane) + (lanes[lane].client ? 0 : 7);

function drawMarks() {
	const from = placeAt(GUTTER) - 8 / camera.zoom, to = placeAt(size.width) + 8 / camera.zoom;
	const first = lastAt(marks.begins, from) + 1, end = lastAt(marks.begins, to) + 1, many = end - first > 1500;
	const last = new Float64Array(markKinds.length * lanes.length).fill(-1e9);
	for (let i = first; i < end; i++) {
		const m = marks[i], x = xOf(m.begins), key = m.look.place * lanes.length + m.lane;
		if (m.lane < 0 || x - last[key] < (many ? 3 : 2) || !m.look.shown || m.kind === "violation") continue;
		last[key] = x;
		if (many && !m.look.listed) dot(m.look, x, signY(m.lane));
		else sign(m.look, x, signY(m.lane));
	}
}

function dot(look, x, y) {
	pen.fillStyle = markColour(look);
	pen.fillRect(x - 1, y - 2, 2, 4);
}

// sign draws a mark's sign, with an edge that sets it off.
function sign(look, x, y) {
	pen.fillStyle = markColour(look);
	pen.strokeStyle = ink.paper;
	pen.lineWidth = 1;
	pen.beginPath();
	switch (look.name) {
	case "commit": pen.arc(x, y, 3, 0, 7); break;
	case "saved": pen.rect(x - 2, y - 2.5, 4, 5); break;
	case "snapshot": pen.rect(x - 4, y - 4, 8, 8); break;
	case "restored": polygon(x - 5, y - 4, x + 5, y - 4, x, y + 5); break;
	case "fault": polygon(x, y - 6, x + 5, y + 4, x - 5, y + 4); break;
	default: polygon(x, y - 5, x + 5, y, x, y + 5, x - 5, y);
	}
	pen.fill();
	pen.stroke();
}

function polygon(...points) {
	for (let i = 0; i < points.length; i += 2) pen.lineTo(points[i], points[i + 1]);
	pen.closePath();
}

// drawFaults flags each fault above the lanes, and draws it down to its lane, or across all.
function drawFaults() {
	const from = placeAt(GUTTER), to = placeAt(size.width), y = AXIS + ROW / 2 - 1;
	if (!markKindOf.get("fault").shown) return;
	const seen = marks.filter(m => m.kind === "fault" && m.begins >= from && m.begins <= to);
	pen.font = "11px system-ui, sans-serif";
	pen.textAlign = "left";
	pen.textBaseline = "middle";
	let last = -1e9;
	seen.forEach((m, i) => {
		const x = xOf(m.begins), room = (i + 1 < seen.length ? xOf(seen[i + 1].begins) : size.width) - x - 14;
		if (x - last < 1) return;
		last = x;
		faultLine(m, x);
		const name = m.text || m.kind;
		pen.fillStyle = ink.fault;
		pen.fillText("⚡", x - 3, y);
		if (room > 26) pen.fillText(fitted(name, room), x + 10, y);
	});
}

function faultLine(m, x) {
	pen.fillStyle = ink.fault;
	pen.globalAlpha = 0.5;
	pen.fillRect(x - 0.5, AXIS + ROW - 2, 1, (m.lane < 0 ? size.height : yOf(m.lane) - half(m.lane)) - AXIS - ROW + 2);
	pen.globalAlpha = 1;
}

// fitted shortens a text to the width.
function fitted(text, room) {
	if (pen.measureText(text).width <= room) return text;
	let n = Math.max(1, Math.floor(text.length * room / pen.measureText(text).width) - 1);
	while (n > 1 && pen.measureText(text.slice(0, n) + "…").width > room) n--;
	return text.slice(0, n) + "…";
}

// drawViolations draws a red line from top to bottom, a flag, and a ring at the lane.
function drawViolations() {
	for (const m of violations) {
		const x = xOf(m.begins);
		if (x < GUTTER - 10 || x > size.width + 10) continue;
		pen.fillStyle = ink.bad;
		pen.globalAlpha = 0.14;
		pen.fillRect(x - 14, AXIS, 28, size.height - AXIS);
		pen.globalAlpha = 1;
		pen.fillRect(x - 1.25, AXIS, 2.5, size.height - AXIS);
		if (m.lane >= 0) ring(x, yOf(m.lane));
		flag(m, x);
	}
}

function ring(x, y) {
	pen.strokeStyle = ink.paper;
	pen.lineWidth = 7;
	for (const width of [7, 3.5]) {
		pen.lineWidth = width;
		pen.strokeStyle = width === 7 ? ink.paper : ink.bad;
		pen.beginPath();
		pen.arc(x, y, 21, 0, 7);
		pen.moveTo(x - 7, y - 7);
		pen.lineTo(x + 7, y + 7);
		pen.moveTo(x - 7, y + 7);
		pen.lineTo(x + 7, y - 7);
		pen.stroke();
	}
}

// flag names the violated rule at the foot of the line, on the side with more room.
function flag(m, x) {
	pen.font = "bold 12px system-ui, sans-serif";
	pen.textBaseline = "middle";
	const left = x > (GUTTER + size.width) / 2, room = (left ? x - GUTTER : size.width - x) - 16;
	const text = fitted("✕ " + (m.text || "violation"), room), width = pen.measureText(text).width + 14;
	const y = Math.min(size.height, size.lanes - camera.scroll) - 16;
	pen.fillStyle = ink.bad;
	pen.fillRect(left ? x - width : x, y - 11, width, 22);
	pen.fillStyle = dark ? "#1a0408" : "#fff";
	pen.textAlign = "left";
	pen.fillText(text, (left ? x - width : x) + 7, y);
}
