// The list of events has faults, violations and new primaries, or the results of a search. It can be very
// long, so only the rows in sight exist.
const findBox = document.getElementById("find"), foundBox = document.getElementById("found");
const listBox = document.getElementById("list"), rowsBox = document.getElementById("rows");
const ROW_HEIGHT = 24;

// search.matches has 1 for each message that matches; null without a search.
const search = {matches: null, items: [], current: -1};

// notable returns the items of the list without a search.
function notable() {
	const turns = spans.filter(s => s.kind === "primary" || s.kind === "down");
	return [...marks.filter(m => m.look.listed && m.look.shown), ...turns].sort((a, b) => a.at - b.at);
}

// find fills the list with the items that contain all words of the query.
function find(query) {
	const words = query.toLowerCase().split(/\s+/).filter(Boolean);
	if (words.length === 0) {
		Object.assign(search, {matches: null, items: notable(), current: -1});
		foundBox.textContent = `${search.items.length} events: faults, new primaries, violations`;
	} else {
		search.matches = new Uint8Array(messages.n);
		search.items = [...foundMessages(words), ...[...marks, ...spans].filter(item => has(line(item), words)), ...foundStates(words)].sort((a, b) => a.at - b.at);
		search.current = -1;
		foundBox.textContent = `${search.items.length} found`;
	}
	listBox.scrollTop = 0;
	showRows();
	drawScene();
}

function ask(query) {
	findBox.value = query;
	find(query);
}

const has = (text, words) => words.every(word => text.toLowerCase().includes(word));

function foundMessages(words) {
	const out = [];
	for (let i = 0; i < messages.n; i++) {
		if (!kindOfMessage[i].shown || !has(line(asMessage(i)), words)) continue;
		search.matches[i] = 1;
		out.push(asMessage(i));
	}
	return out;
}

function foundStates(words) {
	return states.flatMap((s, lane) => s.at.map((at, i) => ({what: "state", at, lane, text: texts[s.text[i]]}))).filter(s => has(line(s), words));
}

// The texts of these kinds of marks need no name of the kind.
const SELF_EVIDENT = new Set(["fault", "note"]);

// line is an item in one line of the list.
function line(item) {
	switch (item.what) {
	case "message": {
		const i = item.i, failed = messages.fate[i] === ARRIVED ? "" : ` (${FATES[messages.fate[i]]})`;
		return `${nameOf(messages.from[i])} → ${nameOf(messages.to[i])} ${kindOfMessage[i].name}${failed} ${texts[messages.text[i]]}`;
	}
	case "mark": return `${item.look.symbol} ${item.lane >= 0 && item.kind !== "fault" ? nameOf(item.lane) + " " : ""}${SELF_EVIDENT.has(item.kind) && item.text ? "" : item.kind + " "}${item.text}`;
	case "state": return `${nameOf(item.lane)} holds ${item.text}`;
	}
	return `${nameOf(item.lane)} ${IN_PROTOCOL.has(item.kind) ? `${item.kind} of view ${item.view}` : item.kind} ${item.text}`;
}

// showRows makes the rows that are in sight.
function showRows() {
	rowsBox.style.height = search.items.length * ROW_HEIGHT + "px";
	const first = Math.max(0, Math.floor(listBox.scrollTop / ROW_HEIGHT) - 4), count = Math.ceil(listBox.clientHeight / ROW_HEIGHT) + 8;
	rowsBox.replaceChildren(...search.items.slice(first, first + count).map((item, i) => row(item, first + i)));
}

function row(item, place) {
	const look = item.what === "mark" ? item.kind : item.what === "message" && messages.fate[item.i] !== ARRIVED ? "failed" : item.kind === "down" ? "down" : "";
	const e = element("button", {type: "button", class: `row ${look}`, tabindex: -1, "aria-current": place === search.current, onclick: () => visit(place)},
		element("time", {}, seconds(item.at, 6)), element("span", {}, line(item)));
	e.style.top = place * ROW_HEIGHT + "px";
	e.title = line(item);
	return e;
}

// visit goes to an item of the list, and pins it.
function visit(place) {
	if (search.items.length === 0) return;
	choose(Math.max(0, Math.min(search.items.length - 1, place)));
	const item = search.items[search.current];
	goTo(item.at);
	drawScene();
	pin(item);
}

// choose makes a row the current one and scrolls to it.
function choose(place) {
	const top = place * ROW_HEIGHT;
	search.current = place;
	if (top < listBox.scrollTop || top > listBox.scrollTop + listBox.clientHeight - ROW_HEIGHT) listBox.scrollTop = top - listBox.clientHeight / 2;
	showRows();
}

// next visits the item before or after the one that was visited last, or the middle of the picture.
function next(step) {
	if (search.current >= 0) return visit(search.current + step);
	const middle = toTime(camera.left + shownWidth() / 2), after = search.items.findIndex(item => item.at > middle);
	visit(step > 0 ? (after < 0 ? search.items.length - 1 : after) : (after < 0 ? search.items.length : after) - 1);
}
