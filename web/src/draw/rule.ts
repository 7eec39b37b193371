import type { Rule, RuleKind } from '@/api/types'

/** A rule of that kind with nothing drawn yet. */
export function newRule(kind: RuleKind, camera: string, name: string): Rule {
  const base = {
    id: '',
    camera,
    name,
    enabled: true,
    level: kind === 'fence' ? 1 : 2,
    labels: ['person'],
    min_score: 0,
    min_hits: 3,
    anchor: 'foot' as const,
    cooldown_s: 10,
    revision: 0,
  }
  if (kind === 'tripwire') return { ...base, kind, line: [], direction: 'any' }
  if (kind === 'zone') return { ...base, kind, polygon: [], on: ['enter'] }
  return { ...base, kind, outer: [], inner: [], direction: 'left_to_right', within_s: 20 }
}
