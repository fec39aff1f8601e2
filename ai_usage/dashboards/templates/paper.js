// Paper: one page a dashboard. Before printing the page is laid out at the paper's width and measured, and the sheet is made as long as the
// dashboard. Belongs here: that measuring, and undoing it. Not here: how things look on paper (responsive.css).

const PAPER_MM = 420; // the long side of A3
const MARGIN_MM = 11;

AIU.paper = () => {
  const style = AIU.el("style", { id: "paper-size" });
  const begin = () => {
    document.body.classList.add("paper");
    const words = document.querySelector(".words");
    if (words) words.open = true;
    document.head.append(style);
    const height = Math.ceil((document.body.scrollHeight * 25.4) / 96) + 2 * MARGIN_MM + 6;
    style.textContent = `@page { size: ${PAPER_MM}mm ${Math.max(297, height)}mm; margin: ${MARGIN_MM}mm; }`;
  };
  const end = () => { document.body.classList.remove("paper"); document.querySelector(".words")?.removeAttribute("open"); style.remove(); };
  window.addEventListener("beforeprint", begin);
  window.addEventListener("afterprint", end);
};
