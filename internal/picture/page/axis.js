// The axis shows virtual times, and where time was left out.

// eachStretch calls plain or stub for each piece of paper in sight, from left to right.
function eachStretch(plain, stub) {
	const from = placeAt(GUTTER), to = placeAt(size.width), {places, times} = scale;
	for (let i = Math.max(0, lastAt(places, from)); i + 1 < places.length && places[i] <= to; i++) {
		const left = times[i + 1] - times[i] > (places[i + 1] - places[i]) * 1.001 ? stub : plain;
		left(xOf(places[i]), xOf(places[i + 1]), times[i], times[i + 1]);
	}
}

// drawGaps shades the places where time was left out, with a torn edge where there is room.
function drawGaps() {
	pen.lineWidth = 1;
	pen.font = "10px system-ui, sans-serif";
	pen.textAlign = "left";
	pen.textBaseline = "middle";
	eachStretch(() => {}, (x0, x1, t0, t1) => {
		if (x1 - x0 < 2.5) return;
		pen.fillStyle = ink.gap;
		pen.fillRect(x0, AXIS, x1 - x0, size.height - AXIS);
		if (x1 - x0 < 9) return;
		pen.strokeStyle = ink.line;
		for (const x of [x0, x1]) {
			pen.beginPath();
			for (let y = AXIS, k = 0; y <= size.height; y += 6, k++) pen.lineTo(x + (k % 2 ? 2 : -2), y);
			pen.stroke();
		}
		if (x1 - x0 > 12) writeUpward(lasted(t1 - t0), (x0 + x1) / 2, size.height - 6);
	});
}

function writeUpward(text, x, y) {
	pen.save();
	pen.translate(x, y);
	pen.rotate(-Math.PI / 2);
	pen.fillStyle = ink.faint;
	pen.fillText(text, 0, 0);
	pen.restore();
}

const LABEL = 96; // pixels that a time takes on the axis

function drawAxis() {
	pen.fillStyle = ink.paper;
	pen.fillRect(0, 0, size.width, AXIS);
	pen.font = "11px ui-monospace, monospace";
	pen.textBaseline = "middle";
	pen.textAlign = "left";
	let free = GUTTER, last = -Infinity;
	const tick = (x, t, step) => {
		if (x < free || x > size.width) return;
		const decimals = Math.max(3, Math.min(9, Math.ceil(9 - Math.log10(Math.max(1, Math.min(step, t - last))))));
		pen.fillStyle = ink.line;
		pen.fillRect(x, AXIS - 6, 1, 6);
		pen.fillStyle = ink.ink;
		pen.fillText(seconds(t, decimals), x + 3, AXIS / 2);
		free = x + LABEL;
		last = t;
	};
	eachStretch((x0, x1, t0, t1) => plainTicks(x0, x1, t0, t1, tick, () => free), () => {});
	pen.fillStyle = ink.line;
	pen.fillRect(0, AXIS - 1, size.width, 1);
}

// plainTicks draws round times. In a stretch without room for one it draws the time of its beginning.
function plainTicks(x0, x1, t0, t1, tick, free) {
	if (x1 < Math.max(free(), GUTTER)) return;
	if (x1 - x0 < LABEL) return x0 >= GUTTER ? tick(x0, t0, Infinity) : undefined;
	const step = roundStep(LABEL * 1.1 / camera.zoom);
	const seen = Math.max(t0, t0 + (GUTTER - x0) / camera.zoom), round = Math.ceil(seen / step) * step;
	if (round > t1) {
		if (x0 >= GUTTER) tick(x0, t0, Infinity);
		return;
	}
	if (x0 >= GUTTER && (round - t0) * camera.zoom > LABEL) tick(x0, t0, Infinity);
	const until = Math.min(t1, t0 + (size.width - x0) / camera.zoom);
	for (let t = round; t <= until; t += step) tick(x0 + (t - t0) * camera.zoom, t, step);
}

// roundStep is the first of 1, 2, 5, 10, 20 … that is not below d.
function roundStep(d) {
	const power = 10 ** Math.floor(Math.log10(Math.max(d, 1)));
	return power * [1, 2, 5, 10].find(m => m * power >= d);
}

// drawGutter draws the names of the lanes.
function drawGutter() {
	pen.fillStyle = ink.paper;
	pen.fillRect(0, 0, GUTTER, size.height);
	pen.fillStyle = ink.line;
	pen.fillRect(GUTTER - 1, 0, 1, size.height);
	pen.textAlign = "right";
	pen.textBaseline = "middle";
	pen.save();
	pen.beginPath();
	pen.rect(0, size.top, GUTTER, size.height - size.top);
	pen.clip();
	for (let lane = 0; lane < lanes.length; lane++) {
		pen.font = lanes[lane].client ? "12px system-ui, sans-serif" : "bold 14px system-ui, sans-serif";
		pen.fillStyle = lanes[lane].client ? ink.faint : ink.ink;
		pen.fillText(lanes[lane].name, GUTTER - 10, yOf(lane), GUTTER - 14);
	}
	pen.restore();
	pen.font = "11px system-ui, sans-serif";
	pen.fillStyle = ink.faint;
	pen.fillText("time, s", GUTTER - 10, AXIS / 2);
	pen.fillText("faults", GUTTER - 10, AXIS + ROW / 2);
	if (cuts.length) pen.fillText("network", GUTTER - 10, AXIS + ROW * 1.5);
}
