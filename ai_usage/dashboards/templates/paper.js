// Paper: A4 sheets. Before printing the page is laid out at the sheet's width and its charts take their new size; the first dashboard is one sheet, made
// smaller step by step down to 8 pt until it fits, then without its last cards, which a line below names. Belongs here: that measuring, and undoing it. Not here: how things look on paper (responsive.css).

const SHEET = { width: 190, height: 279 }; // A4 within margins of 10 and 9 mm
const SIZES = [16, 15.2, 14.4]; // px of 1rem: the smallest text is 0.75rem, so 9, 8.55 and 8.1 pt
const pixels = (mm) => (mm * 96) / 25.4;

AIU.paper = () => {
  const root = document.documentElement;
  const rest = AIU.el("p", { class: "paper-note" });
  document.getElementById("foot").prepend(rest);
  const fits = () => document.body.scrollHeight <= pixels(SHEET.height);
  const begin = () => {
    document.body.classList.add("paper");
    const one = Boolean(document.querySelector("#panel[data-sheet]"));
    document.body.classList.toggle("one-sheet", one);
    for (const size of one ? SIZES : [SIZES[1]]) {
      root.style.fontSize = `${size}px`;
      if (fits()) break;
    }
    const cards = one ? [...document.querySelectorAll(".card")] : [];
    while (cards.length > 1 && !fits()) {
      cards.pop().classList.add("left-out");
      rest.textContent = `On screen also: ${[...document.querySelectorAll(".left-out h2")].map((h) => h.textContent).join(", ")}.`;
    }
    window.dispatchEvent(new Event("paper"));
  };
  const end = () => {
    document.querySelectorAll(".left-out").forEach((card) => card.classList.remove("left-out"));
    rest.textContent = "";
    document.body.classList.remove("paper", "one-sheet");
    root.style.removeProperty("font-size");
  };
  window.addEventListener("beforeprint", begin);
  window.addEventListener("afterprint", end);
};
