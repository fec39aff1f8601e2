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

AIU.preceding = ({ from, to }) => {
  if (!from || !to) return null;
  const days = AIU.daysBetween(from, to);
  return { from: AIU.addDays(from, -days), to: AIU.addDays(from, -1) };
};

// The same days of the month before, as same_days_of_month_before in query.py: whole months stand beside whole months. A period that begins within a
// month keeps its day numbers, or the days compared would be more than its own.
AIU.sameDaysOfMonthBefore = ({ from, to }) => {
  if (!from || !to) return null;
  const lastBefore = (day) => AIU.addDays(monthStart(day), -1);
  const back = (day) => {
    const last = lastBefore(day);
    return `${last.slice(0, 8)}${day.slice(8) < last.slice(8) ? day.slice(8) : last.slice(8)}`;
  };
  const whole = from === monthStart(from) && AIU.addDays(to, 1) === monthStart(AIU.addDays(to, 1));
  return { from: back(from), to: whole ? lastBefore(to) : back(to) };
};
AIU.compared = (card, range) => {
  if (!card.compare) return null;
  return card.compare === "previous_month" ? AIU.sameDaysOfMonthBefore(range) : AIU.preceding(range);
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
