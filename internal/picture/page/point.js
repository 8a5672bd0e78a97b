// The item under the pointer, and the pinned item.
const pointer = {x: 0, y: 0, time: null};
let hovered = null, pinned = null;

const same = (a, b) => a === b || (!!a && !!b && a.what === "message" && b.what === "message" && a.i === b.i);
const asMessage = i => ({what: "message", i, at: messages.sent[i]});

// itemAt returns the item at a place on the canvas, or null.
function itemAt(x, y) {
	if (x < GUTTER || y < AXIS) return null;
	if (y < size.top) return above(x, y);
	return markAt(x, y) ?? (laneAt(y) >= 0 ? bandAt(x, y) : null) ?? messageAt(x, y) ?? cutAt(x, y);
}

// above returns the item in the rows above the lanes.
function above(x, y) {
	const t = toTime(placeAt(x));
	if (y < AXIS + ROW) return nearest(marks.filter(m => m.kind === "fault"), x, m => xOf(m.begins), 12) ?? nearest(violations, x, m => xOf(m.begins), 12);
	const n = networks.find(n => n.at <= t && t < n.until);
	return n ? Object.assign(n, {what: "network"}) : null;
}

function markAt(x, y) {
	const around = marks.slice(lastAt(marks.begins, placeAt(x - 24)) + 1, lastAt(marks.begins, placeAt(x + 24)) + 1);
	const near = around.filter(m => {
		if (!m.look.shown) return false;
		if (m.lane < 0) return m.kind === "violation";
		return m.kind === "violation" ? Math.hypot(xOf(m.begins) - x, yOf(m.lane) - y) < 23 : m.kind !== "fault" && Math.abs(signY(m.lane) - y) < 7;
	});
	const isBad = m => m.kind === "violation";
	return nearest(near.filter(m => !isBad(m)), x, m => xOf(m.begins), 5) ?? nearest(near.filter(isBad), x, m => xOf(m.begins), 23);
}

// nearest returns the item nearest to x within reach, or null.
function nearest(all, x, place, reach) {
	let best = null, least = reach;
	for (const item of all) {
		const d = Math.abs(place(item) - x);
		if (d <= least) [best, least] = [item, d];
	}
	return best;
}

function messageAt(x, y) {
	const margin = 7 / camera.zoom, from = placeAt(x) - margin, to = placeAt(x) + margin;
	let best = -1, least = 6;
	for (const kind of kinds) {
		if (!kind.shown) continue;
		eachMessage(kind, from, to, i => {
			let d = distance(x, y, ...arrow(i));
			if (search.matches && !search.matches[i]) d += 3;
			if (d < least) [best, least] = [i, d];
		});
	}
	return best < 0 ? null : asMessage(best);
}

// distance of a point from a line that has ends.
function distance(x, y, x0, y0, x1, y1) {
	const dx = x1 - x0, dy = y1 - y0, along = ((x - x0) * dx + (y - y0) * dy) / (dx * dx + dy * dy || 1);
	const p = Math.max(0, Math.min(1, along));
	return Math.hypot(x - x0 - p * dx, y - y0 - p * dy);
}

// laneAt returns the lane whose band is at y, or -1.
function laneAt(y) {
	for (let lane = 0; lane < lanes.length; lane++) if (Math.abs(yOf(lane) - y) <= half(lane)) return lane;
	return -1;
}

// within returns a test for spans that include x, or come within two pixels of it.
function within(x) {
	const place = placeAt(x), slack = 2 / camera.zoom;
	return s => s.begins - slack <= place && place <= s.ends + slack;
}

// bandAt returns a lane's span at a place: an ailment rather than a role.
function bandAt(x, y) {
	const lane = laneAt(y);
	return othersOf[lane].findLast(within(x)) ?? rolesOf[lane].findLast(within(x)) ?? null;
}

const cutAt = (x, y) => cuts.filter(within(x)).find(c => Math.abs(cutY(c) - y) < 4) ?? null;

// point notes where the pointer is.
function point(x, y) {
	Object.assign(pointer, {x, y, time: x >= GUTTER && x <= size.width ? toTime(placeAt(x)) : null});
	hovered = itemAt(x, y);
	canvas.style.cursor = hovered ? "pointer" : "default";
	showTip();
	showDetails();
	draw();
}

function pointNowhere() {
	pointer.time = hovered = null;
	showTip();
	showDetails();
	draw();
}

// pin keeps an item in the details; null unpins it.
function pin(item) {
	pinned = item;
	showDetails();
	draw();
}
