// A picture that does not exist leaves a calm empty place instead of a broken-image sign.
// Loaded in the head, because a module would come after the first errors.
document.addEventListener(
  "error",
  (event) => {
    const place = event.target.closest?.(".tiny, .thumbnail");
    if (!place) return;
    place.classList.add("blank");
    event.target.remove();
  },
  true,
);
