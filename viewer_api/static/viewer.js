// The quick viewer: one series, OpenSeadragon over IIIF tiles; slices by wheel, keys, slider and finger.
// Law: one picture is on the stage and at most one arrives; the old one goes only when the new one is drawn, so that
// scrolling never flashes black. The window is part of a picture's address; the server computes it.
import { source, preload } from "./slices.js";

const $ = (id) => document.getElementById(id);
const { slices, start } = JSON.parse($("slices").textContent);
const root = document.querySelector(".viewer");
const stage = $("stage");
const slider = $("slider");
const choice = $("window");
const PATIENCE = 200; // ms that a picture may take before a newer wish replaces it

// OpenSeadragon would add an inline style of its own, which the policy of these pages forbids; viewer.css has the rule
const marker = document.createElementNS("http://www.w3.org/1998/Math/MathML", "style"); // an element, not a style
marker.setAttribute("data-openseadragon-mobile-css", "");
document.head.append(marker);

const viewer = window.OpenSeadragon({
  element: stage,
  drawer: "canvas",
  showNavigationControl: false,
  keyboardNavEnabled: false,
  animationTime: 0.3,
  blendTime: 0,
  maxZoomPixelRatio: 16,
  minZoomImageRatio: 0.5,
  visibilityRatio: 0.4,
  imageLoaderLimit: 6,
  gestureSettingsMouse: { scrollToZoom: slices.length === 1, clickToZoom: false, dblClickToZoom: true },
  gestureSettingsTouch: { pinchRotate: false, flickEnabled: false },
});

let index = start;
let shown = null; // the tiled image on the stage
let arriving = null; // the wish being fulfilled: { index, window, since, item }
let stale = false; // a newer wish than `arriving` waits

function wish() {
  tell();
  if (arriving && performance.now() - arriving.since < PATIENCE) {
    stale = true;
    return;
  }
  abandon();
  stale = false;
  const mine = { index, window: choice.value, since: performance.now(), item: null };
  arriving = mine;
  viewer.addTiledImage({
    tileSource: source(slices[index], choice.value),
    success: ({ item }) => {
      mine.item = item;
      if (arriving !== mine) return viewer.world.removeItem(item);
      if (!shown || !sameSize(shown, item)) viewer.viewport.goHome(true);
      if (item.getFullyLoaded()) return arrived(mine);
      item.addHandler("fully-loaded-change", ({ fullyLoaded }) => fullyLoaded && arrived(mine));
      return undefined;
    },
    error: () => arriving === mine && failed(),
  });
  setTimeout(() => arriving === mine && stale && wish(), PATIENCE + 20);
}

function arrived(done) {
  if (arriving !== done) return;
  if (shown) viewer.world.removeItem(shown);
  shown = done.item;
  arriving = null;
  $("first").hidden = true; // the thumbnail has stood in until now
  $("trouble").hidden = true;
  if (stale) wish();
  else preload(slices, index, choice.value);
}

function abandon() {
  if (arriving?.item) viewer.world.removeItem(arriving.item);
  arriving = null;
}

function failed() {
  abandon();
  $("first").hidden = true;
  $("trouble").hidden = false;
}

viewer.addHandler("tile-load-failed", ({ tiledImage }) => arriving?.item === tiledImage && failed());

function sameSize(one, other) {
  const [a, b] = [one.getContentSize(), other.getContentSize()];
  return a.x === b.x && a.y === b.y;
}

function tell() {
  const [, , columns, rows] = slices[index];
  slider.value = index + 1;
  $("position").value = `${index + 1} / ${slices.length}`;
  $("size").textContent = `${columns} × ${rows}`;
  $("window-name").textContent = choice.selectedOptions[0].textContent.replace(/^\d+ · /, "");
}

function go(to) {
  const next = Math.min(slices.length - 1, Math.max(0, to));
  if (next === index) return;
  index = next;
  wish();
}

function preset(number) {
  if (number > choice.length) return;
  choice.selectedIndex = number - 1;
  wish();
}

const actions = {
  fit: () => viewer.viewport.goHome(),
  "one-to-one": () => shown && viewer.viewport.zoomTo(shown.imageToViewportZoom(1 / window.devicePixelRatio)),
  invert: () => $("invert").setAttribute("aria-pressed", stage.classList.toggle("inverted")),
  rotate: () => viewer.viewport.setRotation(viewer.viewport.getRotation() + 90),
  keys: () => $("map").showModal(),
};
for (const [id, act] of Object.entries(actions)) $(id).addEventListener("click", act);
for (const button of document.querySelectorAll("[data-step]")) {
  button.addEventListener("click", () => go(index + Number(button.dataset.step)));
}
slider.addEventListener("input", () => go(Number(slider.value) - 1));
choice.addEventListener("change", wish);

const keys = {
  ArrowUp: () => go(index - 1),
  ArrowDown: () => go(index + 1),
  ArrowLeft: () => go(index - 1),
  ArrowRight: () => go(index + 1),
  PageUp: () => go(index - 10),
  PageDown: () => go(index + 10),
  Home: () => go(0),
  End: () => go(slices.length - 1),
  Escape: () => location.assign(root.dataset.back),
  "+": () => viewer.viewport.zoomBy(1.4),
  "=": () => viewer.viewport.zoomBy(1.4),
  "-": () => viewer.viewport.zoomBy(1 / 1.4),
  f: actions.fit,
  0: actions["one-to-one"],
  i: actions.invert,
  r: actions.rotate,
  "?": actions.keys,
};
document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || $("map").open || event.target === choice) return;
  const act = keys[event.key] ?? keys[event.key.toLowerCase()];
  if (act) act();
  else if (/^[1-9]$/.test(event.key)) preset(Number(event.key));
  else return;
  event.preventDefault();
});

let rolled = 0; // wheel or finger movement that has not become a slice yet
function roll(pixels, each) {
  rolled += pixels;
  const steps = Math.trunc(rolled / each);
  if (!steps) return;
  rolled -= steps * each;
  go(index + steps);
}

viewer.addHandler("canvas-scroll", (event) => {
  if (slices.length === 1) return;
  event.preventDefault = true;
  if (event.originalEvent.ctrlKey) {
    viewer.viewport.zoomBy(event.scroll > 0 ? 1.2 : 1 / 1.2, viewer.viewport.pointFromPixel(event.position, true));
  } else {
    roll(event.originalEvent.deltaY * (event.originalEvent.deltaMode === 1 ? 33 : 1), 100); // a notch of most wheels
  }
});

// a finger on the whole picture leafs through the series; once zoomed in, it moves the picture
viewer.addHandler("canvas-drag", (event) => {
  const whole = viewer.viewport.getZoom() <= viewer.viewport.getHomeZoom() * 1.05;
  if (event.pointerType !== "touch" || slices.length === 1 || !whole) return;
  event.preventDefaultAction = true;
  roll(event.delta.y, 14);
});

slider.max = slices.length;
$("scrubber").hidden = slices.length === 1;
root.classList.toggle("single", slices.length === 1);
wish();
