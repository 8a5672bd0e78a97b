// Bands show the conditions of a lane: a replica's role, in the colour of its view, with its ailments over
// it; a client's calls; and links that were cut.

// eachSeen calls do for each span that is in sight, and leaves out those narrower than a pixel that lie
// within the one before.
function eachSeen(all, do_) {
	const from = placeAt(GUTTER), to = placeAt(size.width);
	let last = -1;
	for (const s of all) {
		if (s.begins > to) return;
		if (s.ends < from) continue;
		const x0 = Math.max(xOf(s.begins), GUTTER - 4), x1 = Math.min(xOf(s.ends), size.width + 4);
		if (x1 < last + 1 && x1 - x0 < 1) continue;
		last = Math.max(last, x1);
		do_(s, x0, Math.max(x1, x0 + 1));
	}
}

function drawBands() {
	pen.textBaseline = "middle";
	pen.textAlign = "left";
	pen.font = "11px system-ui, sans-serif";
	for (let lane = 0; lane < lanes.length; lane++) {
		const y = yOf(lane), h = half(lane);
		pen.fillStyle = ink.line;
		pen.fillRect(GUTTER, y, Math.min(size.width, xOf(scale.length)) - GUTTER, 1);
		eachSeen(rolesOf[lane], (s, x0, x1) => drawRole(s, x0, x1, y, h));
		eachSeen(othersOf[lane], (s, x0, x1) => (lanes[lane].client ? drawCall : drawAilment)(s, x0, x1, y, h));
	}
}

function drawRole(s, x0, x1, y, h) {
	if (!IN_PROTOCOL.has(s.kind)) return drawAbsence(s, x0, x1, y, h);
	const [fill, text] = band(s);
	pen.fillStyle = fill;
	pen.fillRect(x0, y - h, x1 - x0, 2 * h);
	pen.fillStyle = ink.paper;
	if (x1 - x0 > 4) pen.fillRect(x1 - 1, y - h, 1, 2 * h);
	const view = `view ${s.view}`, settled = s.kind === "primary" || s.kind === "backup";
	write(x0, x1, y - 5, text, [`${s.kind} · ${view}${s.text ? " · " + s.text : ""}`, `${s.kind} · ${view}`, settled ? view : s.kind, String(s.view)], !settled);
}

function drawAilment(s, x0, x1, y, h) {
	if (s.kind === "disk slow" || s.kind === "disk full") {
		pen.fillStyle = s.kind === "disk full" ? ink.bad : ink.warn;
		pen.fillRect(x0, y + h, x1 - x0, 4);
		write(x0, x1, y + h + 11, ink.faint, [label(s), s.kind], true);
		return;
	}
	pen.fillStyle = ink.faint;
	pen.fillRect(x0, y - h, x1 - x0, 2 * h);
	write(x0, x1, y - 5, "#fff", [label(s), s.kind]);
}

// drawAbsence draws a replica that does nothing: one that is down, or one that is paused, which has an
// outline and stripes and no colour of a view.
function drawAbsence(s, x0, x1, y, h) {
	const paused = s.kind === "paused";
	pen.fillStyle = paused ? hatch(ink.warn, ink.lane, 2) : ink.down;
	pen.fillRect(x0, y - h, x1 - x0, 2 * h);
	if (paused) {
		pen.strokeStyle = ink.warn;
		pen.lineWidth = 1.5;
		pen.strokeRect(x0, y - h, x1 - x0, 2 * h);
	}
	write(x0, x1, y - 5, paused ? ink.ink : "#fff", [label(s), s.kind], paused);
}

const label = s => s.kind + (s.text ? " · " + s.text : "");

function drawCall(s, x0, x1, y, h) {
	const [fill, text] = callColours(s.kind), narrow = x1 - x0 < 4;
	if (!narrow) {
		pen.fillStyle = fill;
		pen.fillRect(x0, y - h, x1 - x0, 2 * h);
	}
	pen.fillStyle = s.kind === "answered" ? ink.good : s.kind === "open" ? ink.faint : ink.warn;
	pen.fillRect(x0, y + h - (narrow ? 6 : 2), x1 - x0, narrow ? 6 : 2);
	if (narrow) return;
	if (s.kind === "unknown" || s.kind === "not applied") pen.fillRect(Math.max(x0, x1 - 2), y - h, 2, 2 * h);
	const outcome = CALLS[s.kind] ?? s.kind;
	const room = Math.min(x1, size.width) - Math.max(x0, GUTTER) - 9;
	if (room > 20) write(x0, x1, y, text, [[s.text, outcome].filter(Boolean).join(" · "), fitted(s.text, room)]);
}

function callColours(kind) {
	if (kind === "answered") return dark ? ["#14392f", "#d9f5ec"] : ["#dcf2ea", "#0c2b22"];
	if (kind === "open") return [ink.lane, ink.ink];
	return dark ? ["#463410", "#fbeecb"] : ["#fbeccb", "#3a2a04"];
}

// write puts the first of texts that has room into a band; grounded ones get a plain ground.
function write(x0, x1, y, colour, choices, grounded) {
	const left = Math.max(x0, GUTTER) + 5, room = Math.min(x1, size.width) - left - 3;
	if (room < 7) return;
	const text = choices.find(choice => pen.measureText(choice).width <= room);
	if (!text) return;
	if (grounded) {
		pen.fillStyle = ink.paper;
		pen.globalAlpha = 0.75;
		pen.fillRect(left - 2, y - 6, pen.measureText(text).width + 4, 12);
		pen.globalAlpha = 1;
	}
	pen.fillStyle = colour;
	pen.fillText(text, left, y + 0.5);
}

// slotOf is the number of stripes between a lane and the stripe of this cut.
const slotOf = c => Math.abs(replicas.indexOf(c.from) - replicas.indexOf(c.to)) - 1;

function cutY(c) {
	const down = laneY[c.to] > laneY[c.from] ? 1 : -1;
	return yOf(c.from) + down * (half(c.from) + 7 + 5 * Math.max(0, slotOf(c)));
}

// drawCuts draws a stripe next to the band of the sender, on the side of the receiver. Two neighbours that
// are cut off from each other have a wall between them.
function drawCuts() {
	eachSeenCut((c, x0, x1) => {
		const y = cutY(c);
		pen.fillStyle = ink.bad;
		pen.fillRect(x0, y - 1.5, x1 - x0, 3);
		for (const [x, there] of [[x0, c.begins], [x1, c.ends]]) if (Math.abs(xOf(there) - x) < 1) pen.fillRect(x - 1, y - 4, 2, 8);
	});
	for (const w of walls) {
		const x0 = Math.max(xOf(toPaper(w.at)), GUTTER), x1 = Math.min(xOf(toPaper(w.until)), size.width);
		if (x1 <= x0) continue;
		pen.fillStyle = hatch(ink["bad"], "transparent", 1);
		pen.globalAlpha = 0.22;
		const top = yOf(w.upper) + half(w.upper) + 9, bottom = yOf(w.lower) - half(w.lower) - 9;
		pen.fillRect(x0, top, x1 - x0, bottom - top);
		pen.globalAlpha = 1;
	}
}

function eachSeenCut(do_) {
	const from = placeAt(GUTTER), to = placeAt(size.width);
	for (const c of cuts) {
		if (c.begins > to) return;
		if (c.ends >= from) do_(c, Math.max(xOf(c.begins), GUTTER - 4), Math.max(Math.min(xOf(c.ends), size.width + 4), xOf(c.begins) + 1));
	}
}
