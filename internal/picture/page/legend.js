// The legend explains the colours and turns kinds on and off.
const legendBox = document.getElementById("legend");

function showLegend() {
	legendBox.replaceChildren(
		...group("Messages", kinds.map(kind => chip(kind, kind.at.length, lineOf(colourOf(kind)), kinds))),
		...group("Marks", markKinds.filter(kind => kind.count).map(kind => chip(kind, kind.count, signOf(kind), markKinds))),
		...group("Fates", fates()));
}

const group = (name, chips) => (chips.length ? [element("span", {class: "group"}, name), ...chips] : []);

// chip shows or hides a kind; with Alt it shows that one alone, or all again.
function chip(kind, count, picture, all) {
	const press = event => {
		if (event.altKey) {
			const alone = all.every(other => other.shown === (other === kind));
			for (const other of all) other.shown = alone || other === kind;
		} else kind.shown = !kind.shown;
		again();
		showLegend();
		find(findBox.value);
		drawRun();
	};
	return element("button", {type: "button", class: "chip", "aria-pressed": kind.shown, onclick: press, title: `${kind.shown ? "Hide" : "Show"}; with Alt: only this`},
		picture, kind.name, element("small", {}, count.toLocaleString("en")));
}

function lineOf(colour) {
	const e = element("span", {class: "line", "aria-hidden": "true"}, "→");
	e.style.color = colour;
	return e;
}

function signOf(kind) {
	const e = element("span", {class: "line", "aria-hidden": "true"}, kind.symbol);
	e.style.color = markColour(kind);
	return e;
}

// fates explains the signs of messages that did not arrive, if there are any. A click searches for them.
function fates() {
	const count = [0, 0, 0, 0, 0];
	for (const f of messages.fate) count[f]++;
	return [[LOST, "✕"], [CUT, "▬"], [REFUSED, "○"], [UNDER_WAY, "•"]].filter(([f]) => count[f])
		.map(([f, symbol]) => element("button", {type: "button", class: "chip", title: "Find them", onclick: () => ask(FATES[f])},
			element("span", {class: f === UNDER_WAY ? "line" : "line bad", "aria-hidden": "true"}, symbol), FATES[f], element("small", {}, count[f].toLocaleString("en"))));
}
