// The worklist at the keyboard: "/" searches, arrows walk the rows, Enter opens (the rows are links).
const search = document.getElementById("q");
const rows = [...document.querySelectorAll(".study")];

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const typing = document.activeElement === search;
  if (event.key === "/" && !typing) {
    event.preventDefault();
    search.focus();
    search.select();
  } else if (event.key === "Escape" && typing) {
    search.blur();
  } else if (event.key === "ArrowDown" || event.key === "ArrowUp") {
    const step = event.key === "ArrowDown" ? 1 : -1;
    const next = rows[Math.max(0, rows.indexOf(document.activeElement) + step)];
    if (next) {
      event.preventDefault();
      next.focus();
    }
  }
});
