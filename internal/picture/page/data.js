// The run, as Write encoded it: tables of columns, ordered by time.
const run = JSON.parse(document.getElementById("run").textContent);
const texts = run.texts, lanes = run.lanes, end = Math.max(run.end, 1);

// runningSum undoes the encoding of the first column.
function runningSum(deltas) {
	const out = new Float64Array(deltas.length);
	let sum = 0;
	for (let i = 0; i < deltas.length; i++) out[i] = sum += deltas[i];
	return out;
}

const FATES = ["arrived", "lost", "cut off", "receiver down", "under way"];
const ARRIVED = 0, LOST = 1, CUT = 2, REFUSED = 3, UNDER_WAY = 4;

const messages = (({sent, took, from, to, kind, text, fate}) => ({
	n: sent.length, sent: runningSum(sent), took: Float64Array.from(took), from: Uint16Array.from(from), to: Uint16Array.from(to),
	kind: Int32Array.from(kind), text: Int32Array.from(text), fate: Uint8Array.from(fate),
}))(run.messages);

// flight is the median time of messages, which also determines the length of arrows that end at once.
const flight = (() => {
	const took = messages.took.filter((t, i) => t > 0 && messages.fate[i] === ARRIVED).sort();
	return took.length ? took[took.length >> 1] : end / 100;
})();

// Each message ends at a time, and a part of its way down (or up) to the receiver.
messages.ended = new Float64Array(messages.n);
messages.way = new Float32Array(messages.n);
for (let i = 0; i < messages.n; i++) {
	const gotFar = messages.took[i] > 0 || messages.fate[i] === ARRIVED;
	messages.ended[i] = messages.sent[i] + (gotFar ? messages.took[i] : flight * 0.4);
	messages.way[i] = !gotFar ? 0.4 : [1, 0.7, 0.8, 1, 0.5][messages.fate[i]];
}

// rows makes objects of a table that has few rows or whose rows are looked at one by one.
function rows(table, first) {
	const names = Object.keys(table).filter(name => name !== first), at = runningSum(table[first]);
	return Array.from(at, (t, i) => {
		const row = {at: t};
		for (const name of names) row[name] = table[name][i];
		return row;
	});
}

const lasting = row => ({...row, until: row.long < 0 ? end : Math.min(row.at + row.long, end)});
const spans = rows(run.spans, "from").map(lasting).map(s => ({...s, what: "span", kind: texts[s.kind], text: texts[s.text]}));
const cuts = rows(run.cuts, "since").map(lasting).map(c => ({...c, what: "cut"}));
const marks = rows(run.marks, "at").map(m => ({...m, what: "mark", kind: texts[m.kind], text: texts[m.text]}));

// states of each lane, by time.
const states = lanes.map(() => ({at: [], text: []}));
for (const s of rows(run.states, "at")) {
	states[s.lane].at.push(s.at);
	states[s.lane].text.push(s.text);
}

// lastAt returns the index of the last of sorted times that is not above t, or -1.
function lastAt(times, t) {
	let low = 0, high = times.length;
	while (low < high) {
		const middle = (low + high) >> 1;
		if (times[middle] <= t) low = middle + 1;
		else high = middle;
	}
	return low - 1;
}

// Roles of a replica do not overlap. Its other spans are ailments.
const IN_PROTOCOL = new Set(["forming", "outside", "backup", "primary", "view change"]);
const ROLES = new Set([...IN_PROTOCOL, "paused", "down"]);
const CALLS = {"answered": "", "not applied": "not applied", "unknown": "outcome unknown", "open": "no answer yet"};
const isRole = s => ROLES.has(s.kind) && !lanes[s.lane].client;
const rolesOf = lanes.map((_, lane) => spans.filter(s => s.lane === lane && isRole(s)));
const othersOf = lanes.map((_, lane) => spans.filter(s => s.lane === lane && !isRole(s))); // ailments, or calls
const violations = marks.filter(m => m.kind === "violation");

// seconds writes a time with as many decimals as it has, or as many as are asked for.
function seconds(t, decimals) {
	const text = (t / 1e9).toFixed(decimals ?? 9);
	return decimals === undefined ? text.replace(/(\.\d{3}\d*?)0+$/, "$1") : text;
}

// lasted writes how long something took, in the unit that suits it.
function lasted(d) {
	for (const [unit, name] of [[1e9, "s"], [1e6, "ms"], [1e3, "µs"]]) {
		if (d >= unit) return `${+(d / unit).toPrecision(3)} ${name}`;
	}
	return `${d} ns`;
}
