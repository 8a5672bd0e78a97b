// Drawing happens at most once a frame. Of three layers only those that changed are drawn: the overview, the
// picture, and the items of the pointer.
let wanted = false, staleRun = true, staleScene = true;
const scene = document.createElement("canvas");

function drawRun() {
	staleRun = true;
	drawScene();
}

function drawScene() {
	staleScene = true;
	draw();
}

function draw() {
	if (wanted) return;
	wanted = true;
	requestAnimationFrame(drawNow);
}

function drawNow() {
	wanted = false;
	if (staleRun) redrawBackdrop();
	if (staleScene) redrawScene();
	staleRun = staleScene = false;
	copy(scene, pen);
	emphasize(pinned, 3);
	if (!same(hovered, pinned)) emphasize(hovered, 2);
	drawPointer();
	drawSelection();
	drawOverview();
}

// copy draws a layer.
function copy(layer, onto) {
	onto.save();
	onto.setTransform(1, 0, 0, 1, 0, 0);
	onto.drawImage(layer, 0, 0);
	onto.restore();
}

// redrawScene draws everything that does not depend on the pointer, and keeps a copy.
function redrawScene() {
	pen.fillStyle = ink.paper;
	pen.fillRect(0, 0, size.width, size.height);
	drawGaps();
	drawEnds();
	drawCuts();
	drawArrows(); // those that pass a lane pass behind its band
	drawBands();
	drawMarks();
	pen.fillStyle = ink.paper;
	pen.fillRect(GUTTER, AXIS, size.width - GUTTER, size.top - AXIS); // lanes may have been scrolled below
	drawViolations();
	drawFaults();
	drawNetwork();
	drawAxis();
	drawGutter();
	scene.width = canvas.width;
	scene.height = canvas.height;
	scene.getContext("2d").drawImage(canvas, 0, 0);
}

// drawEnds shades the time before the beginning of the run and after its end.
function drawEnds() {
	pen.fillStyle = ink.lane;
	const x0 = xOf(0), x1 = xOf(scale.length);
	if (x0 > GUTTER) pen.fillRect(GUTTER, AXIS, x0 - GUTTER, size.height);
	if (x1 < size.width) pen.fillRect(x1, AXIS, size.width - x1, size.height);
}

// emphasize draws an item again, and stronger.
function emphasize(item, width) {
	if (!item) return;
	pen.save();
	pen.beginPath();
	pen.rect(GUTTER, AXIS, size.width - GUTTER, size.height);
	pen.clip();
	pen.strokeStyle = pen.fillStyle = ink.accent;
	pen.lineWidth = width;
	if (item.what === "message") emphasizeMessage(item.i, width);
	else if (item.what === "mark") {
		pen.beginPath();
		pen.arc(xOf(item.begins), item.lane < 0 || item.kind === "fault" ? AXIS + ROW / 2 : item.kind === "violation" ? yOf(item.lane) : signY(item.lane), item.kind === "violation" ? 26 : 9, 0, 7);
		pen.stroke();
	} else if (item.what === "span") {
		const h = half(item.lane), x0 = Math.max(xOf(item.begins), GUTTER - 5), x1 = Math.min(xOf(item.ends), size.width + 5);
		pen.strokeRect(x0, yOf(item.lane) - h, Math.max(1, x1 - x0), 2 * h);
	}
	pen.restore();
}

function emphasizeMessage(i, width) {
	const [x0, y0, x1, y1] = arrow(i);
	for (const [colour, w] of [[ink.paper, width + 4], [ink.accent, width]]) {
		pen.strokeStyle = pen.fillStyle = colour;
		pen.lineWidth = w;
		pen.beginPath();
		pen.moveTo(x0, y0);
		pen.lineTo(x1, y1);
		pen.stroke();
	}
	pen.beginPath();
	head(x0, y0, x1, y1, 12);
	pen.fill();
	if (messages.fate[i] !== ARRIVED) fate(messages.fate[i], x1, y1, 1, 5);
}

// drawSelection draws the stretch to zoom to.
function drawSelection() {
	if (!drag?.selects || !drag.moved) return;
	pen.fillStyle = ink.accent;
	pen.globalAlpha = 0.2;
	pen.fillRect(drag.x, AXIS, drag.to - drag.x, size.height);
	pen.globalAlpha = 1;
}

// drawPointer draws the time at which the pointer is.
function drawPointer() {
	if (pointer.time === null) return;
	pen.fillStyle = ink.faint;
	pen.globalAlpha = 0.5;
	pen.fillRect(xOf(toPaper(pointer.time)), AXIS, 1, size.height);
	pen.globalAlpha = 1;
}
