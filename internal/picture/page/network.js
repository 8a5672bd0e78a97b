// The states of the network over time, as text: "a | b c" if no messages pass between the sides, "a ↛ b" for
// a link that is cut in one direction.

const networks = (() => {
	const moments = [...new Set(cuts.flatMap(c => [c.at, c.until]))].sort((a, b) => a - b);
	const out = [];
	for (let i = 0; i < moments.length; i++) {
		const at = moments[i], until = moments[i + 1] ?? end;
		const now = cuts.filter(c => c.at <= at && c.until > at);
		if (now.length && until > at) out.push({at, until, now, text: inWords(now)});
	}
	return out;
})();

function inWords(now) {
	const deaf = new Set(now.map(c => c.from * lanes.length + c.to));
	const cut = (a, b) => deaf.has(a * lanes.length + b);
	const sides = sidesOf((a, b) => !cut(a, b) || !cut(b, a));
	const sideOf = lane => sides.findIndex(side => side.includes(lane));
	const rest = now.filter(c => sideOf(c.from) === sideOf(c.to)).map(c => `${lanes[c.from].name} ↛ ${lanes[c.to].name}`);
	const split = sides.length > 1 ? [sides.map(side => side.map(lane => lanes[lane].name).join(" ")).join(" | ")] : [];
	return [...split, ...new Set(rest)].join(", ");
}

// sidesOf returns the sets of replicas that reach each other, directly or over others, in one direction or
// both.
function sidesOf(joined) {
	const sides = [], left = new Set(replicas);
	for (const first of replicas) {
		if (!left.delete(first)) continue;
		const side = [first];
		for (const a of side) for (const b of [...left]) if (joined(a, b)) {
			left.delete(b);
			side.push(b);
		}
		sides.push(side.sort((a, b) => a - b));
	}
	return sides;
}

// walls stand between neighbours while both links between them are cut.
const walls = replicas.slice(1).flatMap((lower, i) => {
	const upper = replicas[i], out = [];
	for (const n of networks) {
		const both = [[upper, lower], [lower, upper]].every(([a, b]) => n.now.some(c => c.from === a && c.to === b));
		if (!both) continue;
		if (out.at(-1)?.until === n.at) out.at(-1).until = n.until;
		else out.push({upper, lower, at: n.at, until: n.until});
	}
	return out;
});

function drawNetwork() {
	const y = AXIS + ROW, from = placeAt(GUTTER), to = placeAt(size.width);
	pen.font = "11px system-ui, sans-serif";
	for (const n of networks) {
		const begins = toPaper(n.at), ends = toPaper(n.until);
		if (begins > to || ends < from) continue;
		const x0 = Math.max(xOf(begins), GUTTER), x1 = Math.max(Math.min(xOf(ends), size.width), x0 + 1);
		pen.fillStyle = ink["bad-paper"];
		pen.fillRect(x0, y + 1, x1 - x0, ROW - 3);
		pen.fillStyle = ink.bad;
		pen.fillRect(x0, y + 1, Math.min(2, x1 - x0), ROW - 3);
		write(x0, x1, y + ROW / 2 - 1, ink.ink, [n.text, n.text.split(",")[0] + " …"]);
	}
}
