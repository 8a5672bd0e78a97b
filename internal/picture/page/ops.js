// The operations of the log are a table, with the state before and after each. It can be long, so it exists only once it is
// opened.
const ops = rows(run.ops, "at").map(o => ({...o, what: "op", lane: -1, text: texts[o.text], result: texts[o.result], before: texts[o.before], after: texts[o.after]}));
const opsBox = document.getElementById("ops"), opBox = document.getElementById("op");

function showOps() {
	opsBox.hidden = ops.length === 0;
	opsBox.querySelector("summary span").textContent = `${ops.length} operations`;
	const table = opsBox.querySelector("tbody");
	if (!opsBox.firstElementChild.open || table.rows.length) return;
	table.append(...ops.map(o => element("tr", {onclick: () => visitOp(o)}, ...[o.number, o.text, o.result, o.before, o.after].map(text => element("td", {title: text}, String(text))))));
}

// visitOp goes to an operation, in the table and in the picture, and pins it.
function visitOp(o) {
	opsBox.firstElementChild.open = true;
	showOps();
	const row = opsBox.querySelector("tbody").rows[ops.indexOf(o)];
	opsBox.querySelector("tr.current")?.classList.remove("current");
	row.classList.add("current");
	row.scrollIntoView({block: "nearest"});
	goTo(o.at);
	drawScene();
	pin(o);
}

// jumpToOp visits the operation of that number, or the last one before it: not all ops of the log are operations.
function jumpToOp(number) {
	const o = ops.findLast(o => o.number <= number) ?? ops[0];
	if (o) visitOp(o);
}
