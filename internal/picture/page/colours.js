// Neighbouring colours differ in lightness too, for viewers who cannot distinguish hues.
// Each family of messages has a strong colour and a lighter one for answers.
const PALETTES = {
	light: {
		order: ["#0a5aa8", "#3c8fd4"], heartbeat: ["#6b7580", "#98a2ad"], view: ["#b93a06", "#e0752c"], transfer: ["#6e5200", "#a88408"],
		call: ["#066b50", "#2a9d7d"], read: ["#5b2fb8", "#9271dd"], member: ["#a3247f", "#d465b5"], other: ["#3c4650", "#79838e"],
	},
	dark: {
		order: ["#5fb0ff", "#a3d0ff"], heartbeat: ["#8d97a3", "#68727d"], view: ["#ff8a4c", "#ffbd94"], transfer: ["#d9b233", "#f0d985"],
		call: ["#3fd0a4", "#9be8cf"], read: ["#b394ff", "#d6c7ff"], member: ["#f57fd0", "#fbbce6"], other: ["#c3ccd6", "#929ca8"],
	},
};

// VIEW_HUES are the hues of views, in turn. Red is left for failures.
const VIEW_HUES = [212, 38, 150, 280, 188, 322, 95, 245];

const NAMES = ["paper", "ink", "faint", "line", "lane", "gap", "bad", "bad-paper", "fault", "warn", "good", "accent", "down"];
let ink = {}; // the colours in use, by name
let palette = PALETTES.light, dark = false;

// readColours takes the page's colours over for the canvas, which knows nothing of style sheets.
function readColours() {
	const style = getComputedStyle(document.documentElement);
	dark = style.getPropertyValue("--dark").trim() === "1";
	palette = dark ? PALETTES.dark : PALETTES.light;
	ink = Object.fromEntries(NAMES.map(name => [name, style.getPropertyValue("--" + name).trim()]));
	patterns.clear();
}

const colourOf = kind => palette[kind.family][kind.second ? 1 : 0];

const MARK_COLOURS = {violation: "bad", fault: "fault", commit: "good", saved: "faint", snapshot: "accent", restored: "accent", note: "ink"};
const markColour = kind => ink[MARK_COLOURS[kind.name]];

// band returns the fill and the text colour of what a replica is in the protocol.
function band(span) {
	const hue = VIEW_HUES[span.view % VIEW_HUES.length];
	if (span.kind === "primary") return dark ? [`hsl(${hue} 62% 42%)`, "#fff"] : [`hsl(${hue} 68% 38%)`, "#fff"];
	if (span.kind === "backup") return dark ? [`hsl(${hue} 38% 22%)`, "#e8ecf1"] : [`hsl(${hue} 62% 87%)`, "#16191d"];
	if (span.kind === "view change") return [hatch(`hsl(${hue} 55% ${dark ? 45 : 62}%)`, dark ? `hsl(${hue} 30% 16%)` : `hsl(${hue} 60% 95%)`, 3), ink.ink];
	return [hatch(ink.faint, ink.lane, 1), ink.ink];
}

const patterns = new Map();

// hatch returns a pattern of slanted lines.
function hatch(line, ground, width) {
	const key = line + ground + width;
	if (!patterns.has(key)) {
		const tile = document.createElement("canvas"), size = 8;
		tile.width = tile.height = size;
		const c = tile.getContext("2d");
		c.fillStyle = ground;
		c.fillRect(0, 0, size, size);
		c.strokeStyle = line;
		c.lineWidth = width;
		c.beginPath();
		for (const shift of [-size, 0, size]) {
			c.moveTo(shift - 2, size + 2);
			c.lineTo(shift + size + 2, -2);
		}
		c.stroke();
		patterns.set(key, c.createPattern(tile, "repeat"));
	}
	return patterns.get(key);
}
