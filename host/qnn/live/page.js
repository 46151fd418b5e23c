// Shows what the server tells, twice a second; the picture itself is one endless stream.
"use strict";
const $ = (id) => document.getElementById(id);
const frame = $("frame");
let connected = false;

function items(parent, tag, texts) {
  parent.replaceChildren(...texts.map((text) => {
    const one = document.createElement(tag);
    one.textContent = text;
    return one;
  }));
}

function show(status) {
  const found = status.classes
    ? status.classes.map((one) => `${(100 * one.probability).toFixed(1)} % ${one.name}`)
    : status.objects.map((one) => `${(100 * one.probability).toFixed(0)} % ${one.class}`);
  items($("found"), "li", found.length ? found : ["nothing"]);
  const rate = status.pictures_per_s === null ? "" : `${status.pictures_per_s} pictures a second, `;
  $("pace").textContent =
    `${rate}frame ${status.frame}, ${status.dropped} dropped, ${status.age_ms} ms old when seen`;
  $("times").replaceChildren(...Object.entries(status.times_us).map(([stage, us]) => {
    const row = document.createElement("tr");
    items(row, "td", [stage.replace("_", " "), `${(us / 1000).toFixed(2)} ms`]);
    return row;
  }));
}

function state(text, bad) {
  $("state").textContent = text;
  $("state").classList.toggle("bad", bad);
}

async function look() {
  try {
    const answer = await fetch("status", { cache: "no-store", signal: AbortSignal.timeout(5000) });
    if (!answer.ok) throw new Error(answer.statusText);
    const status = await answer.json();
    $("source").textContent = `${status.model} on ${status.backend}, ${status.source}`;
    if (!connected) frame.src = `stream?${Date.now()}`;
    connected = true;
    if (status.newest) show(status.newest);
    state(status.remark || (status.newest ? "live" : "waiting for a frame"), Boolean(status.remark));
  } catch {
    connected = false;
    state("no connection: qnn watch has ended, or its machine cannot be reached", true);
  }
  setTimeout(look, 500);
}

frame.addEventListener("error", () => { connected = false; });
look();
