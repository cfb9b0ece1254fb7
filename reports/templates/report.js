"use strict";
// Reading needs none of this: it adds a search box and one button to open or close all returns.
const returns = [...document.querySelectorAll(".return")];
const box = document.querySelector(".search");
const none = document.querySelector(".none");
const toggle = document.querySelector("#all");
box.hidden = toggle.hidden = false;
const shown = () => returns.filter((item) => item.offsetParent !== null);
const update = () => {
  const words = box.value.toLowerCase().split(/\s+/).filter(Boolean);
  for (const item of returns) item.hidden = !words.every((word) => item.dataset.words.includes(word));
  none.style.display = shown().length ? "none" : "block";
};
box.addEventListener("input", update);
for (const radio of document.querySelectorAll("[name=show]")) radio.addEventListener("change", update);
toggle.addEventListener("click", () => {
  const open = shown().some((item) => !item.open);
  for (const item of shown()) item.open = open;
  toggle.textContent = open ? "Close all" : "Open all";
});
let wasOpen = [];
addEventListener("beforeprint", () => { wasOpen = returns.map((item) => item.open); for (const item of returns) item.open = true; });
addEventListener("afterprint", () => returns.forEach((item, place) => { item.open = wasOpen[place]; }));
