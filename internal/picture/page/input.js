// Mouse and keys.
const KEYS = [
	["wheel, + −", "zoom"], ["drag, ← →", "move; with Shift by a whole width"], ["Shift + wheel", "move"], ["↑ ↓", "scroll, if the lanes do not fit"],
	["Shift + drag", "zoom to the stretch"], ["click", "pin; click elsewhere or Esc to unpin"], ["double click", "zoom in"],
	["f, Home", "the whole run"], ["v", "the violation"], ["n, p", "next and previous event of the list"], ["/", "find"], ["o", "go to an op"],
	["c", "compress time or not"], ["h", "heartbeats or not"], ["t", "light or dark"], ["Alt + click on a kind", "only that kind"], ["?", "this help"],
];

// where returns an event's place on an element.
function where(event, element) {
	const box = element.getBoundingClientRect();
	return [event.clientX - box.left, event.clientY - box.top];
}

function moved() {
	keepInside();
	if (pointer.time !== null) point(pointer.x, pointer.y);
	drawScene();
}

canvas.addEventListener("wheel", event => {
	event.preventDefault();
	const unit = event.deltaMode === 1 ? 30 : 1, sideways = event.shiftKey ? event.deltaX || event.deltaY : event.deltaX;
	if (event.shiftKey || Math.abs(event.deltaX) > Math.abs(event.deltaY)) camera.left += sideways * unit / camera.zoom;
	else zoomAt(Math.max(GUTTER, where(event, canvas)[0]), Math.exp(-event.deltaY * unit * 0.0022));
	moved();
}, {passive: false});

let drag = null; // what the pressed pointer does

canvas.addEventListener("pointerdown", event => {
	if (event.button !== 0) return;
	const [x, y] = where(event, canvas);
	drag = {x, y, left: camera.left, scroll: camera.scroll, moved: false, selects: event.shiftKey};
	canvas.setPointerCapture(event.pointerId);
});

canvas.addEventListener("pointermove", event => {
	const [x, y] = where(event, canvas);
	if (!drag) return point(x, y);
	drag.moved ||= Math.hypot(x - drag.x, y - drag.y) > 4;
	if (!drag.moved) return;
	pointNowhere();
	drag.to = x;
	if (!drag.selects) {
		canvas.style.cursor = "grabbing";
		camera.left = drag.left - (x - drag.x) / camera.zoom;
		camera.scroll = drag.scroll - (y - drag.y);
		keepInside();
		drawScene();
	}
});

canvas.addEventListener("pointerup", event => {
	const [x, y] = where(event, canvas), was = drag;
	drag = null;
	if (!was) return;
	if (!was.moved) pin(same(itemAt(x, y), pinned) ? null : itemAt(x, y));
	else if (was.selects) {
		see(toTime(placeAt(Math.min(was.x, x))), toTime(placeAt(Math.max(was.x, x))));
		drawScene();
	}
	point(x, y);
});

canvas.addEventListener("pointercancel", () => { drag = null; });
canvas.addEventListener("pointerleave", () => { if (!drag) pointNowhere(); });
canvas.addEventListener("dblclick", event => {
	zoomAt(where(event, canvas)[0], Math.max(3, closeZoom() / camera.zoom));
	moved();
});

// A press on the overview moves the picture there.
function moveByOverview(event) {
	if (event.buttons !== 1) return;
	camera.left = stripPlace(where(event, strip)[0]) - shownWidth() / 2;
	moved();
}
strip.addEventListener("pointerdown", event => {
	strip.setPointerCapture(event.pointerId);
	moveByOverview(event);
});
strip.addEventListener("pointermove", moveByOverview);

function toggleCompression() {
	scale.compressed = !scale.compressed;
	document.getElementById("compress").setAttribute("aria-pressed", scale.compressed);
	again();
	drawRun();
}

function toggleHeartbeats() {
	const beats = kinds.filter(kind => kind.family === "heartbeat"), shown = beats.every(kind => kind.shown);
	for (const kind of beats) kind.shown = !shown;
	again();
	showLegend();
	drawRun();
}

function toggleTheme() {
	document.documentElement.dataset.theme = dark ? "light" : "dark";
	dress();
}

const move = part => () => {
	camera.left += part * shownWidth();
	moved();
};
const ACTIONS = {
	"ArrowLeft": move(-0.12), "ArrowRight": move(0.12), "Shift+ArrowLeft": move(-0.9), "Shift+ArrowRight": move(0.9),
	"PageUp": move(-0.9), "PageDown": move(0.9),
	"ArrowUp": () => { camera.scroll -= 40; moved(); }, "ArrowDown": () => { camera.scroll += 40; moved(); },
	"+": () => { zoomAt((GUTTER + size.width) / 2, 1.5); moved(); }, "-": () => { zoomAt((GUTTER + size.width) / 2, 1 / 1.5); moved(); },
	"f": () => { seeAll(); moved(); }, "v": showViolation, "n": () => next(1), "p": () => next(-1),
	"c": toggleCompression, "h": toggleHeartbeats, "t": toggleTheme, "?": () => document.getElementById("keys").showModal(),
	"/": () => findBox.focus(), "o": () => opBox.focus(), "Escape": () => pin(null),
};
Object.assign(ACTIONS, {"=": ACTIONS["+"], "_": ACTIONS["-"], "Home": ACTIONS.f});

document.addEventListener("keydown", event => {
	if (event.ctrlKey || event.metaKey || event.altKey || document.getElementById("keys").open) return;
	if (event.target === findBox) {
		if (event.key === "Escape") { findBox.value = ""; find(""); canvas.focus(); }
		if (event.key === "Enter") visit(search.current + (event.shiftKey ? -1 : 1));
		return;
	}
	if (event.target === opBox) {
		if (event.key === "Escape") canvas.focus();
		return;
	}
	if (event.target === listBox && /^(Page|Home)/.test(event.key)) return;
	if (event.target === listBox && /^Arrow(Up|Down)$/.test(event.key)) {
		event.preventDefault();
		return next(event.key === "ArrowDown" ? 1 : -1);
	}
	const action = ACTIONS[(event.shiftKey && event.key.startsWith("Arrow") ? "Shift+" : "") + event.key];
	if (!action) return;
	event.preventDefault();
	action();
});
