// The study page at the keyboard: Esc goes back to the list as it was, with its filters.
const back = document.querySelector("[data-back]");

function goBack(event) {
  const from = document.referrer && new URL(document.referrer);
  if (from && from.origin === location.origin && from.pathname === "/") {
    event.preventDefault();
    history.back();
  } else if (event.type === "keydown") {
    location.assign(back.href);
  }
}

back.addEventListener("click", goBack);
document.addEventListener("keydown", (event) => {
  if (event.key === "Escape") goBack(event);
});
