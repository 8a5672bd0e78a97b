// The overview shows the whole run in a strip: the replicas' bands, the traffic, faults and violations, and
// the part that the picture shows.
const strip = document.getElementById("overview"), stripPen = strip.getContext("2d");
const backdrop = document.createElement("canvas"); // all but the frame, which alone moves
let stripBox = {width: 0, height: 0};

const stripX = place => GUTTER + place / scale.length * (stripBox.width - GUTTER - 12);
const stripPlace = x => (x - GUTTER) / (stripBox.width - GUTTER - 12) * scale.length;

function redrawBackdrop() {
	stripBox = fitCanvas(strip);
	backdrop.width = strip.width;
	backdrop.height = strip.height;
	const c = backdrop.getContext("2d"), h = stripBox.height;
	c.setTransform(stripPen.getTransform());
	c.fillStyle = ink.paper;
	c.fillRect(0, 0, stripBox.width, h);
	drawTraffic(c, h);
	const each = Math.min(8, (h - 20) / Math.max(replicas.length, 1));
	replicas.forEach((lane, i) => {
		for (const s of [...rolesOf[lane], ...othersOf[lane]]) {
			if (s.kind === "disk slow" || s.kind === "disk full") continue;
			c.fillStyle = s.kind === "down" ? ink.down : s.kind === "paused" ? ink.warn : band(s)[0];
			c.fillRect(stripX(s.begins), 16 + i * each, Math.max(1, stripX(s.ends) - stripX(s.begins)), each - 1.5);
		}
	});
	drawMoments(c, h);
	c.font = "11px system-ui, sans-serif";
	c.textAlign = "right";
	c.textBaseline = "middle";
	c.fillStyle = ink.faint;
	c.fillText("whole run", GUTTER - 10, h / 2 - 7);
	c.fillText(lasted(end), GUTTER - 10, h / 2 + 8);
}

// drawTraffic draws the number of messages over time.
function drawTraffic(c, h) {
	const columns = new Float64Array(Math.max(1, Math.ceil((stripBox.width - GUTTER) / 2)));
	for (const kind of kinds) {
		if (!kind.shown) continue;
		for (const i of kind.at) columns[Math.min(columns.length - 1, Math.max(0, (stripX(messages.begins[i]) - GUTTER) >> 1))]++;
	}
	const most = columns.reduce((a, b) => Math.max(a, b), 1);
	c.fillStyle = ink.line;
	columns.forEach((n, i) => c.fillRect(GUTTER + 2 * i, h - n / most * (h - 4), 1.5, n / most * (h - 4)));
}

function drawMoments(c, h) {
	for (const w of networks) {
		c.fillStyle = ink.bad;
		c.globalAlpha = 0.5;
		c.fillRect(stripX(toPaper(w.at)), 10, Math.max(1, stripX(toPaper(w.until)) - stripX(toPaper(w.at))), 3);
		c.globalAlpha = 1;
	}
	for (const m of marks) {
		if (m.kind !== "fault" && m.kind !== "violation") continue;
		const x = stripX(m.begins), bad = m.kind === "violation";
		c.fillStyle = bad ? ink.bad : ink.fault;
		if (bad) c.fillRect(x - 1, 0, 2, h);
		c.beginPath();
		c.moveTo(x - (bad ? 6 : 3.5), 1);
		c.lineTo(x + (bad ? 6 : 3.5), 1);
		c.lineTo(x, bad ? 11 : 8);
		c.fill();
	}
}

function drawOverview() {
	copy(backdrop, stripPen);
	const x0 = Math.max(GUTTER, stripX(camera.left)), x1 = Math.min(stripBox.width - 2, stripX(camera.left + shownWidth()));
	stripPen.fillStyle = ink.ink;
	stripPen.globalAlpha = 0.09;
	stripPen.fillRect(x0, 1, Math.max(3, x1 - x0), stripBox.height - 2);
	stripPen.globalAlpha = 1;
	stripPen.strokeStyle = ink.ink;
	stripPen.lineWidth = 1.5;
	stripPen.strokeRect(x0, 1, Math.max(3, x1 - x0), stripBox.height - 2);
}
