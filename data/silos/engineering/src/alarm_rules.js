/**
 * Rules for alarms as they are edited in Millrace.
 * The same limits are checked again in Weir, so change both places.
 */
export const MAX_RULES_PER_SITE = 32;
export const MIN_RECEIVERS = 2;
export const DEFAULT_DELAY_SECONDS = 180;

/** Hysteresis in millimetres: an alarm ends only when the level is this far below the threshold. */
export const HYSTERESIS_MM = 25;

/** Returns a list of problems; an empty list means that the rule is fine. */
export function checkRule(rule) {
  const problems = [];
  if (rule.receivers.length < MIN_RECEIVERS) {
    problems.push("An alarm needs at least two receivers.");
  }
  if (rule.kind === "dam" && rule.delaySeconds > 60) {
    problems.push("Rules of the kind dam must not wait longer than 60 seconds.");
  }
  if (rule.name.length > 80) {
    problems.push("The name of a rule must not be longer than 80 characters.");
  }
  return problems;
}
