// Days as ISO text, in UTC. Belongs here: presets, preceding periods, weeks and months. Not here: any widget.

const DAY = 86400000;
const time = (iso) => Date.parse(`${iso}T00:00:00Z`);
const iso = (ms) => new Date(ms).toISOString().slice(0, 10);
AIU.addDays = (day, n) => iso(time(day) + n * DAY);
AIU.daysBetween = (from, to) => Math.round((time(to) - time(from)) / DAY) + 1;
AIU.isDay = (text) => /^\d{4}-\d{2}-\d{2}$/.test(text) && !Number.isNaN(time(text)) && iso(time(text)) === text;
const monthStart = (day) => `${day.slice(0, 7)}-01`;

AIU.PRESETS = [
  ["this_month", "This month"], ["last_month", "Last month"], ["last_30_days", "Last 30 days"],
  ["last_90_days", "Last 90 days"], ["all", "All dates"],
];

// `through` is the last day of the data: a report on disk has no today.
AIU.presetRange = (preset, through) => {
  const last = AIU.addDays(monthStart(through), -1);
  return {
    all: { from: null, to: null },
    this_month: { from: monthStart(through), to: through },
    last_month: { from: monthStart(last), to: last },
    last_30_days: { from: AIU.addDays(through, -29), to: through },
    last_90_days: { from: AIU.addDays(through, -89), to: through },
  }[preset];
};

// What the period is for a card: cards of whole months take every month that it touches, as _where in query.py.
AIU.acting = (card, { from, to }) => ({ from: from && card.filters.date === "month" ? monthStart(from) : from, to });

const monthEnd = (day) => AIU.addDays(monthStart(AIU.addDays(monthStart(day), 31)), -1);
const monthsBefore = (day, n) => {
  const months = Number(day.slice(0, 4)) * 12 + Number(day.slice(5, 7)) - 1 - n;
  return `${Math.floor(months / 12)}-${String((months % 12) + 1).padStart(2, "0")}-01`;
};

// As compared_period in query.py: months, where the period begins on the first of one, stand beside as many months before, and a last month that is not
// whole beside the same days; any other period stands beside as many days directly before.
AIU.compared = ({ from, to }) => {
  if (!from || !to) return null;
  if (from !== monthStart(from)) return { from: AIU.addDays(from, -AIU.daysBetween(from, to)), to: AIU.addDays(from, -1) };
  const count = 12 * (to.slice(0, 4) - from.slice(0, 4)) + (to.slice(5, 7) - from.slice(5, 7)) + 1;
  const end = monthEnd(monthsBefore(to, count));
  const sameDay = `${end.slice(0, 8)}${to.slice(8)}`;
  return { from: monthsBefore(from, count), to: to === monthEnd(to) || sameDay > end ? end : sameDay };
};

// Why two periods cannot be compared, or null: both must hold every day. Days may be to come, added up by month (see html.py), before the first record,
// or not held by a source: `held` says from when to when each was asked and its gaps, those of its bill for cards of cost, else those of any report.
// Of the platforms that are chosen alone, days that other sources lack are not missing.
AIU.lacking = (card, span, sides, { held, through, platforms = [] }) => {
  const told = held.filter((one) => !platforms.length || !one.platforms?.length || one.platforms.some((p) => platforms.includes(p)));
  for (const { from, to } of sides) {
    if (to > through) return { ahead: AIU.addDays(through, 1) };
    if (!span || from < span.first) return { begins: span?.first ?? null };
    const folded = card.monthly_before;
    if (folded && ((from < folded && from !== monthStart(from)) || (to < folded && to !== monthEnd(to)))) return { folded };
    for (const one of told) {
      const inside = [[from, AIU.addDays(one.first_day, -1)], ...one[card.of_cost ? "cost_gaps" : "gaps"], [AIU.addDays(one.last_day, 1), to]]
        .map(([first, last]) => [first > from ? first : from, last < to ? last : to]).filter(([first, last]) => first <= last);
      if (inside.length) return { source: one.source, days: inside };
    }
  }
  return null;
};

// As resolve_grain in query.py.
AIU.grain = (grain, from, to) => {
  if (grain !== "auto") return grain;
  const days = AIU.daysBetween(from, to);
  return days <= 93 ? "day" : days <= 800 ? "week" : "month";
};

AIU.bucket = (day, grain) => {
  if (grain === "month") return monthStart(day);
  if (grain === "week") return AIU.addDays(day, -((new Date(time(day)).getUTCDay() + 6) % 7));
  return day;
};

AIU.nextBucket = (day, grain) => {
  if (grain === "month") return monthStart(AIU.addDays(monthStart(day), 31));
  return AIU.addDays(day, grain === "week" ? 7 : 1);
};

AIU.buckets = (from, to, grain) => {
  const all = [];
  for (let day = AIU.bucket(from, grain); day <= to; day = AIU.nextBucket(day, grain)) all.push(day);
  return all;
};
