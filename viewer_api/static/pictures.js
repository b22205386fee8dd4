// A picture that does not exist leaves a calm empty place instead of a broken-image sign.
export function hideMissingPictures() {
  for (const image of document.querySelectorAll(".tiny img, .thumbnail img")) {
    const blank = () => {
      image.parentElement.classList.add("blank");
      image.remove();
    };
    if (image.complete && image.naturalWidth === 0 && image.src && image.loading !== "lazy") blank();
    else image.addEventListener("error", blank, { once: true });
  }
}
