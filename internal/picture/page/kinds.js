// The purposes of the protocol's messages, which determine their colours, and the kinds that are shown.
const FAMILIES = {
	order: ["Prepare", "PrepareOK", "Gap"],
	heartbeat: ["Commit", "CommitOK"],
	view: ["StartViewChange", "DoViewChange", "NewState", "Outdated"],
	transfer: ["GetState", "SnapshotOffer", "GetChunk", "SnapshotChunk"],
	call: ["Request", "Reply"],
	read: ["ReadRound", "ReadRoundOK"],
	member: ["Question", "Answer"],
};
const familyOf = new Map(Object.entries(FAMILIES).flatMap(([family, kinds]) => kinds.map(kind => [kind, family])));

// kinds of messages that the run has, those that the protocol knows in its order, then the others
// by name. The most frequent ones are drawn first, so that they do not hide the rare ones.
const kinds = (() => {
	const byText = new Map();
	for (let i = 0; i < messages.n; i++) {
		const text = messages.kind[i];
		if (!byText.has(text)) byText.set(text, {name: texts[text], at: []});
		byText.get(text).at.push(i);
	}
	const known = [...familyOf.keys()], place = kind => (known.indexOf(kind.name) + 1 || 99);
	const all = [...byText.values()].sort((a, b) => place(a) - place(b) || (a.name < b.name ? -1 : 1));
	let others = 0;
	for (const kind of all) {
		kind.family = familyOf.get(kind.name) ?? "other";
		kind.second = kind.family === "other" ? others++ % 2 === 1 : FAMILIES[kind.family].indexOf(kind.name) % 2 === 1;
		kind.at = Int32Array.from(kind.at);
		kind.shown = true;
	}
	hideHeartbeats(all);
	return all;
})();
const drawingOrder = [...kinds].sort((a, b) => b.at.length - a.at.length);
const kindOfMessage = new Array(messages.n);
for (const kind of kinds) for (const i of kind.at) kindOfMessage[i] = kind;

// hideHeartbeats hides heartbeats that would crowd out other messages.
function hideHeartbeats(all) {
	const beats = all.filter(kind => kind.family === "heartbeat");
	const count = beats.reduce((n, kind) => n + kind.at.length, 0);
	if (count > 0.2 * messages.n && count < messages.n) for (const kind of beats) kind.shown = false;
}

// markKinds are the kinds of marks: their looks, and whether the list of events has them.
const MARKS = {
	violation: {symbol: "✕", listed: true},
	fault: {symbol: "⚡", listed: true},
	note: {symbol: "◆", listed: true},
	snapshot: {symbol: "▣", listed: true},
	restored: {symbol: "▼", listed: true},
	commit: {symbol: "●", listed: false},
	saved: {symbol: "■", listed: false},
};
const markKinds = Object.entries(MARKS).map(([name, look], place) => ({name, ...look, place, shown: true, count: 0}));
const markKindOf = new Map(markKinds.map(kind => [kind.name, kind]));
for (const m of marks) {
	m.look = markKindOf.get(m.kind) ?? markKindOf.get("note");
	m.look.count++;
}
