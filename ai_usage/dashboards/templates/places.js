// Places on a page: links to its cards that survive a filter and a mail, what stands first on a phone, and from a name to the page of it.
// Belongs here: where a reader goes. Not here: what a card shows. A link is #<dashboard>/<card>?<filters>.

AIU.contents = (dashboard, go) => AIU.el("details", { class: "contents", open: innerWidth > 900 }, AIU.el("summary", { text: "On this page" }),
  AIU.el("nav", { "aria-label": "On this page" }, AIU.el("ul", {}, dashboard.cards.filter((card) => card.kind !== "kpi").map((card) => AIU.el("li", {},
    AIU.el("a", { href: `#${dashboard.key}/${card.key}`, text: card.title, onclick: (event) => { event.preventDefault(); go(card.key); } }))))));

// Brings a card into view below the filters, and the focus to it.
AIU.reach = (key) => {
  const card = document.querySelector(`[data-card="${CSS.escape(key)}"]`);
  if (!card) return;
  card.style.scrollMarginTop = `${document.getElementById("filters").offsetHeight + 12}px`;
  card.scrollIntoView({ block: "start" });
  card.tabIndex = -1;
  card.focus({ preventScroll: true });
};

// On a phone: four figures, one chart over time, one list; then the rest in its order. {card key: place}
AIU.phoneOrder = (cards) => {
  const figures = cards.filter((c) => c.kind === "kpi").slice(0, 4);
  const chart = cards.find((c) => ["line", "stacked_bar"].includes(c.kind));
  const list = cards.find((c) => c.kind === "bar") ?? cards.find((c) => c.kind === "table");
  return new Map(cards.map((c) => [c.key, figures.includes(c) ? 0 : c === chart ? 1 : c === list ? 2 : 3]));
};

// A value as a button that narrows the page to it, where the card has a filter on its column; else null.
AIU.narrowing = (dashboard, card, column, value, text) => {
  const key = Object.keys(card.filters ?? {}).find((k) => k !== "date" && card.filters[k] === column);
  const filter = key && dashboard.filters.find((f) => f.key === key);
  if (!filter || value === null || value === card.unset?.[key]) return null;
  return AIU.el("button", { type: "button", class: "narrow", title: `Show ${text} alone`, text, onclick: () => AIU.narrow(key, value) });
};
