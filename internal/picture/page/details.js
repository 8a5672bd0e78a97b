// The details show everything known about the item that is pinned or under the pointer, and the states of
// the replicas at that time.
const detailsBox = document.getElementById("details"), tip = document.getElementById("tip");

// element makes an element; children may be texts, which are never taken for markup.
function element(name, attributes, ...children) {
	const e = document.createElement(name);
	for (const [key, value] of Object.entries(attributes ?? {})) {
		if (key.startsWith("on")) e.addEventListener(key.slice(2), value);
		else if (value !== undefined) e.setAttribute(key, value);
	}
	e.append(...children);
	return e;
}

const nameOf = lane => (lane < 0 ? "the group" : lanes[lane].name);

// describe returns an item's title, its facts in pairs, and its text.
function describe(item) {
	switch (item.what) {
	case "message": return describeMessage(item.i);
	case "mark": return {title: `${item.look.symbol} ${item.kind}`, facts: [["at", nameOf(item.lane)], ["time", stamp(item.at)]], text: item.text};
	case "op": return {title: `op ${item.number}`, facts: [["committed", stamp(item.at)], ["result", item.result], ["before", item.before], ["after", item.after]], text: item.text};
	case "state": return {title: `${nameOf(item.lane)}: state`, facts: [["since", stamp(item.at)]], text: item.text};
	case "cut": return {title: `${nameOf(item.from)} ↛ ${nameOf(item.to)}`, facts: period(item), text: `No messages pass from ${nameOf(item.from)} to ${nameOf(item.to)}.`};
	case "network": return {title: "Network: " + item.text, facts: period(item), text: item.now.map(c => `${nameOf(c.from)} ↛ ${nameOf(c.to)}`).join(", ")};
	}
	const title = IN_PROTOCOL.has(item.kind) ? `${nameOf(item.lane)}: ${item.kind}, view ${item.view}` : `${nameOf(item.lane)}: ${CALLS[item.kind] ?? item.kind}`;
	return {title: title.replace(/: $/, ": call"), facts: period(item), text: item.text};
}

const stamp = t => seconds(t) + " s";
const period = item => [["from", stamp(item.at)], ["until", item.until >= end ? "the end" : stamp(item.until)], ["lasted", lasted(item.until - item.at)]];

function describeMessage(i) {
	const facts = [["sent", stamp(messages.sent[i])]];
	if (messages.took[i] > 0 || messages.fate[i] === ARRIVED) {
		const word = {[ARRIVED]: "arrived", [LOST]: "lost", [CUT]: "cut off", [REFUSED]: "refused"}[messages.fate[i]];
		facts.push([word, stamp(messages.sent[i] + messages.took[i])], ["took", lasted(messages.took[i])]);
	}
	if (messages.fate[i] !== ARRIVED) facts.push(["fate", FATES[messages.fate[i]], "bad"]);
	return {title: `${kindOfMessage[i].name}  ${nameOf(messages.from[i])} → ${nameOf(messages.to[i])}`, facts, text: texts[messages.text[i]], kind: kindOfMessage[i]};
}

function showTip() {
	tip.hidden = !hovered;
	if (!hovered) return;
	const {title, text} = describe(hovered), first = text.length > 160 ? text.slice(0, 160) + "…" : text;
	tip.replaceChildren(element("b", {}, title), ...(first ? [element("span", {}, first)] : []));
	const width = tip.offsetWidth, height = tip.offsetHeight;
	tip.style.left = Math.max(4, pointer.x + 16 + width > size.width ? pointer.x - width - 12 : pointer.x + 16) + "px";
	tip.style.top = Math.max(4, pointer.y + 18 + height > size.height ? pointer.y - height - 10 : pointer.y + 18) + "px";
}

// showDetails shows the pinned item, or else the one under the pointer, with the states at its time, or else
// at the pointer's time.
function showDetails() {
	const item = pinned ?? hovered, at = item && !(item === hovered && item.until) ? item.at : pointer.time;
	const parts = [];
	if (item) {
		const {title, facts, text, kind} = describe(item);
		const heading = element("h2", {}, title);
		if (kind) heading.style.color = colourOf(kind);
		parts.push(heading);
		if (pinned) parts.push(element("button", {type: "button", class: "unpin", title: "Let go (Esc)", onclick: () => pin(null)}, "Pinned ✕"));
		parts.push(element("dl", {}, ...facts.flatMap(([name, value, look]) => [element("dt", {}, name), element("dd", {class: look}, value)])));
		if (text) parts.push(element("pre", {}, text));
	} else {
		parts.push(element("p", {class: "hint"}, "Point at an item to see its details; click to keep them here."));
	}
	if (at !== null && at !== undefined) parts.push(...statesAt(at, item));
	detailsBox.replaceChildren(...parts);
}

function statesAt(t, item) {
	const parts = [element("h3", {}, `Replicas at ${stamp(Math.round(t))}`)];
	const named = item?.what === "message" ? [messages.from[item.i], messages.to[item.i]] : item ? [item.lane, item.from, item.to] : [laneAt(pointer.y)];
	for (const lane of replicas) {
		const role = rolesOf[lane].findLast(s => s.at <= t && t <= s.until), ailments = othersOf[lane].filter(s => s.at <= t && t < s.until);
		const is = !role ? "" : IN_PROTOCOL.has(role.kind) ? `${role.kind}, view ${role.view}` : label(role);
		const now = [is, ...ailments.map(s => s.kind)].filter(Boolean).join(", ");
		parts.push(element("div", {class: named.includes(lane) ? "state named" : "state"},
			element("b", {}, lanes[lane].name), " ", element("i", {}, now), element("div", {}, ...stateWords(lane, t))));
	}
	return parts;
}

// stateWords returns the words of a lane's state, those that its last change brought made bold.
function stateWords(lane, t) {
	const i = lastAt(states[lane].at, t);
	if (i < 0) return [];
	const before = new Set(i > 0 ? texts[states[lane].text[i - 1]].split(/\s+/) : []);
	return texts[states[lane].text[i]].split(/(\s+)/).map(word => (i > 0 && word.trim() && !before.has(word) ? element("mark", {}, word) : word));
}
