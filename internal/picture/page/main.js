// showViolation moves to the violation, with the events before it on its left.
function showViolation() {
	if (!violations.length) return;
	const v = violations[0];
	see(beforehand(v.at), v.at);
	camera.left += shownWidth() * 0.22;
	keepInside();
	choose(search.items.indexOf(v));
	drawScene();
	pin(v);
}

// beforehand returns a time before t such that the messages from then to t fill the picture and can be told
// apart.
function beforehand(t) {
	const sent = kinds.filter(kind => kind.shown).flatMap(kind => {
		const last = lastAt(kind.at.map(i => messages.sent[i]), t);
		return Array.from(kind.at.slice(Math.max(0, last - 70), last + 1), i => messages.sent[i]);
	}).sort((a, b) => b - a);
	return Math.min(sent[Math.min(69, sent.length - 1)] ?? 0, t - 10 * flight);
}

// dress applies the page's colours.
function dress() {
	readColours();
	showLegend();
	showDetails();
	drawRun();
}

function showHeader() {
	const by = id => document.getElementById(id);
	by("title").title = run.title;
	if (run.command) {
		by("command").hidden = false;
		by("command").firstElementChild.textContent = run.command;
		by("command").lastElementChild.onclick = event => navigator.clipboard?.writeText(run.command).then(() => { event.target.textContent = "Copied"; });
	}
	if (run.failure) {
		by("failure").hidden = false;
		by("failure").querySelector("p").textContent = run.failure;
		by("failure").querySelector("button").hidden = !violations.length;
		by("failure").querySelector("button").onclick = showViolation;
	}
	if (run.history) {
		by("history").hidden = false;
		by("history").href = "./" + run.history.split("/").map(encodeURIComponent).join("/");
	}
	if (run.schedule.length) {
		by("schedule").hidden = false;
		by("schedule").querySelector("summary").textContent = `Schedule of ${run.schedule.length} ${run.unit}${run.schedule.length === 1 ? "" : "s"}`;
		by("schedule").querySelector("ol").append(...run.schedule.map(text => element("li", {}, text)));
	}
	showOps();
	opsBox.firstElementChild.addEventListener("toggle", showOps);
	opBox.addEventListener("click", event => event.preventDefault()); // it is part of what opens the table
	opBox.addEventListener("change", () => jumpToOp(Number(opBox.value)));
	by("fit").onclick = ACTIONS.f;
	by("compress").onclick = toggleCompression;
	by("theme").onclick = toggleTheme;
	by("help").onclick = ACTIONS["?"];
	by("keys").querySelector("dl").append(...KEYS.flatMap(([key, what]) => [element("dt", {}, key), element("dd", {}, what)]));
	by("keys").querySelector("button").onclick = () => by("keys").close();
}

function resize() {
	const first = size.width === 0, whole = camera.zoom <= wholeZoom() * 1.001;
	layOut();
	if (first || whole) seeAll();
	keepInside();
	showRows();
	drawRun();
}

rescale();
showHeader();
dress();
resize();
find("");
findBox.addEventListener("input", () => find(findBox.value));
listBox.addEventListener("scroll", showRows);
addEventListener("resize", resize);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", dress);
showViolation();
