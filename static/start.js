/** Starts the page inside Gradio's frame, as soon as that is there. A classic script: Gradio loads no modules. */
{
  const start = () => {
    const frame = document.getElementById("annotator-frame");
    if (!frame) return false;
    const root = document.createElement("div");
    root.id = "annotator";
    frame.append(root);
    import("./main.js")
      .then((module) => module.mount(root))
      .catch((error) => {
        root.textContent = `The page could not start: ${error.message}`;
      });
    return true;
  };
  if (!start()) {
    const watcher = new MutationObserver(() => {
      if (start()) watcher.disconnect();
    });
    watcher.observe(document, { childList: true, subtree: true });
  }
}
