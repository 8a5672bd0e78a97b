// The view places everything on the canvas: lanes from top to bottom, and the part of the paper in sight of
// the camera from left to right. Sizes are in CSS pixels.
const AXIS = 26, ROW = 19; // heights of the times, and of a row above the lanes
const BAND = 26, CALL = 16;             // heights of a replica's band and of a client's calls
const canvas = document.getElementById("picture"), pen = canvas.getContext("2d");
const GUTTER = (() => { // width of the lanes' names
	pen.font = "bold 14px system-ui, sans-serif";
	return Math.min(190, Math.max(92, ...lanes.map(lane => pen.measureText(lane.name).width + 24)));
})();
const size = {width: 0, height: 0, lanes: 0, top: 0};
const camera = {left: 0, zoom: 1, scroll: 0}; // zoom is pixels for a nanosecond of paper

const replicas = lanes.map((_, i) => i).filter(i => !lanes[i].client);
const clients = lanes.map((_, i) => i).filter(i => lanes[i].client);
const laneY = new Float64Array(lanes.length); // of a lane's middle, before scrolling
const half = lane => (lanes[lane].client ? CALL : BAND) / 2;

// fitCanvas matches the pixels of the canvas to those of the screen.
function fitCanvas(c) {
	const box = c.getBoundingClientRect(), ratio = devicePixelRatio || 1;
	c.width = Math.max(1, Math.round(box.width * ratio));
	c.height = Math.max(1, Math.round(box.height * ratio));
	c.getContext("2d").setTransform(ratio, 0, 0, ratio, 0, 0);
	return box;
}

// layOut places the lanes: clients close together, replicas in the remaining space.
function layOut() {
	const box = fitCanvas(canvas);
	size.width = box.width;
	size.height = box.height;
	size.top = AXIS + ROW + (cuts.length ? ROW : 0);
	const forClients = clients.length ? clients.length * 24 + 14 : 0;
	const each = Math.max(74, Math.min(250, (size.height - size.top - forClients - 110) / Math.max(replicas.length - 1, 1)));
	let y = size.top + 4;
	for (const lane of replicas) {
		laneY[lane] = y + Math.min(each / 2, 36);
		y += each;
	}
	if (replicas.length) y = laneY[replicas.at(-1)] + 44;
	for (const lane of clients) {
		laneY[lane] = y + 20;
		y += 24;
	}
	size.lanes = y + 46; // with room for the flag of a violation
}

const yOf = lane => laneY[lane] - camera.scroll;
const xOf = place => GUTTER + (place - camera.left) * camera.zoom;
const placeAt = x => camera.left + (x - GUTTER) / camera.zoom;
const shownWidth = () => (size.width - GUTTER) / camera.zoom;
const wholeZoom = () => Math.max(1, size.width - GUTTER - 48) / scale.length;
const NEAREST = 1 / 20; // pixels for a nanosecond, at most

// keepInside moves the camera so that it sees some of the run.
function keepInside() {
	camera.zoom = Math.max(wholeZoom(), Math.min(camera.zoom, Math.max(NEAREST, wholeZoom())));
	const spare = shownWidth() * 0.5;
	camera.left = camera.zoom <= wholeZoom() * 1.001 ? -20 / camera.zoom
		: Math.max(-spare, Math.min(camera.left, scale.length - shownWidth() + spare));
	camera.scroll = Math.max(0, Math.min(camera.scroll, size.lanes - size.height));
}

function seeAll() {
	camera.zoom = wholeZoom();
	camera.left = -20 / camera.zoom;
}

// zoomAt magnifies around x.
function zoomAt(x, factor) {
	const place = placeAt(x);
	camera.zoom *= factor;
	keepInside();
	camera.left = place - (x - GUTTER) / camera.zoom;
	keepInside();
}

// see moves the camera to the stretch between two times.
function see(from, to) {
	const a = toPaper(from), b = toPaper(to);
	camera.zoom = (size.width - GUTTER) / Math.max(b - a, 1);
	keepInside();
	camera.left = (a + b) / 2 - shownWidth() / 2;
	keepInside();
}

// goTo brings a time into view, near enough to tell what happens around it.
function goTo(t) {
	const place = toPaper(t);
	camera.zoom = Math.max(camera.zoom, Math.min(closeZoom(), NEAREST));
	camera.left = place - shownWidth() * 0.5;
	keepInside();
}

// closeZoom makes a message several pixels long.
const closeZoom = () => 26 / flight;

// again computes the layout again after kinds were shown or hidden. The camera stays.
function again() {
	const middle = size.width ? toTime(camera.left + shownWidth() / 2) : 0;
	const whole = camera.zoom <= wholeZoom() * 1.001;
	rescale();
	if (whole) seeAll();
	else camera.left = toPaper(middle) - shownWidth() / 2;
	keepInside();
}
