document.addEventListener("click", (event) => {
  const link = event.target.closest("a[data-picture]");
  if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  const image = document.createElement("img");
  image.alt = link.dataset.picture;
  image.referrerPolicy = "no-referrer";
  image.addEventListener("error", () => {
    const note = document.createElement("p");
    note.setAttribute("role", "status");
    note.textContent = "The image host did not send this picture.";
    image.replaceWith(note);
  });
  image.tabIndex = -1;
  image.src = link.href;
  link.closest("p").replaceWith(image);
  image.focus();
});
