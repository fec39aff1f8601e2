// The page: tabs, the status line, and the one way round: hash -> state -> cards. Belongs here: wiring only.

const byId = (id) => document.getElementById(id);

function tabs(page, current) {
  const buttons = page.dashboards.map((dashboard) => AIU.el("a", {
    role: "tab", id: `tab-${dashboard.key}`, href: `#${dashboard.key}`, text: dashboard.title, "aria-controls": "panel",
    "aria-selected": String(dashboard === current), tabindex: dashboard === current ? "0" : "-1",
  }));
  const choose = (button) => { button.focus(); button.click(); };
  buttons.forEach((button, i) => {
    button.addEventListener("click", (event) => {
      event.preventDefault();
      const { params } = AIU.readHash(page);
      const query = params.toString();
      location.hash = `${page.dashboards[i].key}${query ? `?${query}` : ""}`;
    });
    button.addEventListener("keydown", (event) => {
      const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
      if (step) { event.preventDefault(); choose(buttons[(i + step + buttons.length) % buttons.length]); }
      if (event.key === "Home") { event.preventDefault(); choose(buttons[0]); }
      if (event.key === "End") { event.preventDefault(); choose(buttons[buttons.length - 1]); }
      if (event.key === " ") { event.preventDefault(); button.click(); }
    });
  });
  const focused = document.activeElement?.getAttribute("role") === "tab";
  byId("tabs").replaceChildren(...buttons);
  if (focused) byId(`tab-${current.key}`).focus();
}

AIU.settleWords = (meta) => {
  if (meta.settled_share === null) return "no billed cost";
  const share = AIU.format({ value: Number(meta.settled_share) }, "pct");
  const until = meta.settled_through ? `, complete through ${AIU.day(meta.settled_through)}` : "";
  return Number(meta.settled_share) === 1 ? "all billed cost settled" : `${share} of billed cost settled${until}; the rest is provisional`;
};

function sourceRow(source) {
  const problems = [
    source.days_missing ? AIU.plural(source.days_missing, "day missing", "days missing") : "",
    source.days_failed ? AIU.plural(source.days_failed, "day failed", "days failed") : "",
    source.rejected_rows ? AIU.plural(source.rejected_rows, "row rejected", "rows rejected") : "",
  ].filter(Boolean);
  return AIU.el("tr", {}, AIU.el("th", { scope: "row", text: source.source }), AIU.el("td", { text: source.endpoint }),
    AIU.el("td", { text: AIU.day(source.last_day) }), AIU.el("td", { text: AIU.moment(source.last_fetched_at) }),
    AIU.el("td", { class: problems.length ? "unwelcome" : "", text: problems.join(", ") || (source.last_fetched_at ? "complete" : "nothing held") }));
}

function status(meta) {
  const { passed, warnings, failed } = meta.checks;
  const state = failed ? "bad" : warnings ? "warn" : passed ? "good" : "none";
  const checks = state === "none" ? "no check was recorded" : [
    AIU.plural(passed, "check passed", "checks passed"), AIU.plural(warnings, "warning"),
    ...(failed ? [`${failed} failed`] : []),
  ].join(" · ");
  const line = AIU.el("p", { class: "status-line" },
    AIU.el("i", { class: `dot ${state}`, "aria-hidden": "true" }), AIU.el("span", { text: `Data as of ${AIU.moment(meta.as_of)}` }),
    AIU.el("span", { text: checks }), AIU.el("span", { text: AIU.settleWords(meta) }),
    ...meta.states.map(({ said, is_owed }) => AIU.el("span", { class: is_owed ? "unwelcome" : "", text: said })),
    meta.monthly_before ? AIU.el("span", { text: `before ${AIU.day(meta.monthly_before)} days are grouped by month` }) : null);
  const sources = meta.sources.length ? AIU.el("details", { class: "sources" },
    AIU.el("summary", {}, AIU.plural(meta.sources.length, "source")),
    AIU.el("div", { class: "scroll" }, AIU.el("table", {}, AIU.el("caption", { class: "sr-only", text: "Freshness of each source" }),
      AIU.el("thead", {}, AIU.el("tr", {}, ["Source", "Endpoint", "Last day", "Last fetched", "State"].map((text) => AIU.el("th", { scope: "col", text })))),
      AIU.el("tbody", {}, meta.sources.map(sourceRow))))) : null;
  return AIU.el("section", { class: "status", "aria-label": "State of the data" }, line, sources);
}

// The words of the page, explained where they are used; docs/glossary.md says the same.
function words(dashboard) {
  if (!dashboard.terms.length) return null;
  return AIU.el("details", { class: "words" }, AIU.el("summary", { text: "Words on this page" }),
    AIU.el("dl", {}, dashboard.terms.map((term) => AIU.el("div", {}, AIU.el("dt", { text: term }), AIU.el("dd", { text: dashboard.glossary[term] })))));
}

// The first sentence, made by vw_headlines: it speaks of the whole company, whatever is chosen below.
function headline(text) {
  return text ? AIU.el("p", { class: "headline" }, AIU.el("strong", { text }), " ", AIU.el("span", { text: "Whole company, latest month." })) : null;
}

function unread(meta) {
  return meta.sources.some((source) => source.last_fetched_at) ? null : AIU.el("p", { class: "headline unread" }, AIU.el("strong", { text: "Nothing has been read yet." }), " Run ",
    AIU.el("code", { text: "ai-usage check" }), " and then ", AIU.el("code", { text: "ai-usage run" }), "; ", AIU.el("code", { text: "ai-usage demo" }), " shows a company that does not exist.");
}

async function main() {
  const page = await AIU.page();
  const { meta } = page;
  AIU.meta = meta;
  AIU.through = meta.data_through ?? meta.as_of.slice(0, 10);
  let shown = null;
  let cards = [];
  let turn = 0;
  let last = "";

  async function update(state) {
    const mine = (turn += 1);
    byId("printed").textContent = AIU.filterWords(shown, state);
    for (const card of cards) {
      if (mine !== turn) return;
      await card.update(state);
    }
    document.body.dataset.ready = String(mine);
  }

  // `keep`: an open filter panel stays as it is.
  async function apply(state, keep) {
    delete document.body.dataset.ready;
    const hash = AIU.writeHash(page, shown, state, AIU.readHash(page).params);
    last = hash;
    if (location.hash !== hash) history.replaceState(null, "", hash);
    if (!keep) byId("filters").replaceChildren(...await AIU.filterBar(shown, state, apply));
    await update(state);
  }

  async function route() {
    if (last === location.hash && shown) return;
    last = location.hash;
    delete document.body.dataset.ready;
    const { dashboard, params, card } = AIU.readHash(page);
    const state = AIU.stateOf(dashboard, params, AIU.through);
    AIU.tip.hide();
    tabs(page, dashboard);
    if (dashboard !== shown) {
      cards.forEach((card) => card.end?.());
      const places = AIU.phoneOrder(dashboard.cards);
      cards = dashboard.cards.map((card) => AIU.card(dashboard, card, places.get(card.key)));
      byId("panel").toggleAttribute("data-sheet", dashboard === page.dashboards[0]);
      byId("panel").setAttribute("aria-labelledby", `tab-${dashboard.key}`);
      byId("panel").replaceChildren(
        AIU.el("div", { class: "intro" }, AIU.el("div", {}, AIU.el("h1", { text: dashboard.title }), AIU.el("p", { text: dashboard.question }), headline(meta.headlines[dashboard.key]), unread(meta)),
          meta.note ? AIU.el("p", { class: "note-line", text: meta.note }) : null),
        status(meta), AIU.contents(dashboard, go), AIU.el("p", { id: "printed", class: "printed" }), AIU.el("div", { class: "grid" }, cards.map((card) => card.root)),
        ...[words(dashboard)].filter(Boolean),
      );
      shown = dashboard;
      document.title = `${dashboard.title} · AI Usage Analytics`;
    }
    byId("filters").replaceChildren(...await AIU.filterBar(dashboard, state, apply));
    await update(state);
    if (card) AIU.reach(card);
  }

  function go(card) {
    const { params } = AIU.readHash(page);
    const query = params.toString();
    last = `#${shown.key}/${card}${query ? `?${query}` : ""}`;
    if (location.hash !== last) history.pushState(null, "", last);
    AIU.reach(card);
  }

  // From a name or a bar to the page of it alone: one step back undoes it.
  AIU.narrow = async (key, value) => {
    const { params } = AIU.readHash(page);
    const state = AIU.stateOf(shown, params, AIU.through);
    history.pushState(null, "", location.hash);
    await apply(key === "date" ? { ...state, period: "custom", range: value } : { ...state, chosen: { ...state.chosen, [key]: [value] } });
    AIU.announce(`The page shows ${AIU.filterWords(shown, AIU.stateOf(shown, AIU.readHash(page).params, AIU.through))}`);
  };

  byId("foot").append(AIU.el("p", { text: `Made ${AIU.moment(meta.generated_at)}${meta.version ? ` by AI Usage Analytics ${meta.version}` : ""}. All days are UTC days. This file holds its data and asks no network.` }));
  AIU.paper();
  byId("print").addEventListener("click", () => window.print());
  document.addEventListener("pointerdown", (event) => {
    for (const open of document.querySelectorAll("details.info[open]")) if (!open.contains(event.target)) open.open = false;
  });
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    AIU.tip.hide();
    for (const open of document.querySelectorAll("details.info[open]")) { open.open = false; open.querySelector("summary").focus(); }
  });
  window.addEventListener("hashchange", route);
  await route();
}

main().catch((error) => {
  document.body.dataset.failed = "true";
  console.error(error);
  byId("panel").replaceChildren(AIU.el("p", { class: "empty", role: "alert", text: `The report could not be shown: ${error.message}. Open it in a current browser (2023 or later), or make it again.` }));
});
