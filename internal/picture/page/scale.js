// The scale converts virtual times to places on a strip of paper and back. Idle times are replaced by a stub,
// which is longer the more time it replaces. Elsewhere a nanosecond of time is one of paper.
const scale = {compressed: true, times: [0, 1], places: [0, 1], length: 1, idle: 1};

// eventful returns the times of the events that are shown, in order.
function eventful() {
	const all = [];
	for (const kind of kinds) {
		if (!kind.shown) continue;
		for (const i of kind.at) all.push(messages.sent[i], messages.ended[i]);
	}
	for (const m of marks) if (m.look.shown) all.push(m.at);
	for (const s of spans) all.push(s.at, s.until);
	for (const c of cuts) all.push(c.at, c.until);
	all.push(0, end);
	return Float64Array.from(all).sort();
}

// rescale computes the scale again after kinds were shown or hidden.
function rescale() {
	scale.times = [0];
	scale.places = [0];
	scale.idle = 4 * flight;
	let previous = 0;
	if (scale.compressed) {
		for (const t of eventful()) {
			if (t - previous > scale.idle) leaveOut(previous, Math.min(t, end));
			previous = Math.min(t, end);
		}
	}
	knot(end);
	scale.length = scale.places.at(-1);
	messages.begins = messages.sent.map(toPaper);
	messages.ends = messages.ended.map(toPaper);
	for (const s of [...spans, ...cuts]) [s.begins, s.ends] = [toPaper(s.at), toPaper(s.until)];
	for (const m of marks) m.begins = m.ends = toPaper(m.at);
	marks.begins = Float64Array.from(marks, m => m.begins);
	for (const kind of kinds) {
		kind.begins = Float64Array.from(kind.at, i => messages.begins[i]);
		kind.blocks = blocksOf(kind.at);
	}
}

// knot ends a stretch of plain time at t.
function knot(t) {
	const last = scale.times.length - 1;
	if (t > scale.times[last]) {
		scale.places.push(scale.places[last] + t - scale.times[last]);
		scale.times.push(t);
	}
}

function leaveOut(from, to) {
	knot(from);
	const begin = scale.places.at(-1), stub = 1.2 * flight * (1 + 0.15 * Math.log2((to - from) / scale.idle));
	scale.times.push(to);
	scale.places.push(begin + stub);
}

function interpolate(xs, ys, x) {
	const i = Math.max(0, Math.min(lastAt(xs, x), xs.length - 2));
	return ys[i] + (x - xs[i]) * (ys[i + 1] - ys[i]) / (xs[i + 1] - xs[i]);
}
const toPaper = t => interpolate(scale.times, scale.places, t);
const toTime = place => Math.max(0, Math.min(end, interpolate(scale.places, scale.times, place)));

// blocksOf returns where each block of 64 messages ends, so that messages in sight are found without
// examining all.
const BLOCK = 64;
function blocksOf(indices) {
	const blocks = new Float64Array(Math.ceil(indices.length / BLOCK));
	for (let i = 0; i < indices.length; i++) {
		const block = Math.floor(i / BLOCK);
		blocks[block] = Math.max(blocks[block], messages.ends[indices[i]]);
	}
	return blocks;
}

// eachMessage calls do for each message of a kind that is on the paper between two places.
function eachMessage(kind, from, to, do_) {
	for (let block = 0; block < kind.blocks.length; block++) {
		const first = block * BLOCK;
		if (messages.begins[kind.at[first]] > to) return;
		if (kind.blocks[block] < from) continue;
		for (let j = first; j < Math.min(first + BLOCK, kind.at.length); j++) {
			const i = kind.at[j];
			if (messages.begins[i] > to) return;
			if (messages.ends[i] >= from) do_(i);
		}
	}
}
