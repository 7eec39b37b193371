import { useI18n } from 'vue-i18n'

import type { Alarm, Remark } from '@/api/types'
import { amount } from '@/draw/numbers'
import { useFormat } from '@/i18n/format'
import { useRemarks } from '@/i18n/remarks'

export interface Line {
  text: string
  /** What the rule asks for in this; empty: nothing. */
  asked: string
}

export interface Why {
  /** The rule as it stood then. */
  rule: string
  lines: Line[]
  doubts: string[]
  /** Some of the doubts are tests that could not be made. */
  untested: boolean
  /** Those that it passed, and the condition that held. */
  tests: string[]
  condition: string
}

/** By what the codes of doubts begin with, and the sentences of earlier versions. */
const DOUBTED: Record<string, string> = { height: 'size', speed: 'speed', condition: 'condition' }

const doubted = (doubt: Remark): string => DOUBTED[/^[a-z]*/.exec(doubt.code || doubt.text)![0]] ?? ''

/** An alarm's grounds in words. What was not measured, or not kept by earlier versions, has no line. */
export function useWhy() {
  const { t, te } = useI18n()
  const { number, duration } = useFormat()
  const { remarks } = useRemarks()

  /** 0 is no limit. */
  function limit(least: number, most: number, said: (value: number) => string, unit = ''): string {
    if (least && most) return t('why.between', { least: said(least), most: said(most) + unit })
    if (least) return t('why.least', { value: said(least) + unit })
    return most ? t('why.most', { value: said(most) + unit }) : ''
  }

  function seen({ explained, rule }: Alarm): Line | null {
    const [seen, of] = explained.evidence
    if (!of) return null
    const [least, last] = [amount(rule, 'min_hits'), amount(rule, 'of_pictures')]
    const asked = last ? t('why.ofLast', { value: number(least), of: number(last) }) : limit(least, 0, number)
    return { text: t('why.seen', { seen: number(seen), of: number(of) }, of), asked }
  }

  function score({ explained, rule, score }: Alarm): Line | null {
    const [least, median, most] = explained.scores.map((one) => number(one, 2))
    const said = { least, median, most }
    const asked = limit(amount(rule, 'min_score'), 0, (value) => number(value, 2))
    if (!explained.scores[2]) return score ? { text: t('why.score', { median: number(score, 2) }), asked } : null
    return { text: least === most ? t('why.score', said) : t('why.scores', said), asked }
  }

  function size({ explained, rule }: Alarm): Line | null {
    const { height, height_m } = explained
    if (!height) return null
    const share = number(height * 100)
    const text =
      height_m === null ? t('why.share', { share }) : t('why.metres', { metres: number(height_m, 2), share })
    const { height_unit = 'share' } = rule
    const unit = ` ${t(`why.unit.${height_unit}`)}`
    const said = (value: number): string => number(height_unit === 'share' ? value * 100 : value, 2)
    return { text, asked: limit(amount(rule, 'min_height'), amount(rule, 'max_height'), said, unit) }
  }

  function speed({ explained, rule }: Alarm): Line | null {
    const { speed, speed_mps } = explained
    if (!speed) return null
    const rate = (value: number): string => number(value, value < 1 ? 2 : 1)
    const heights = rate(speed)
    const text = speed_mps === null ? t('why.heights', { heights }) : t('why.speed', { metres: rate(speed_mps), heights })
    const unit = ` ${t(rule.speed_unit === 'm' ? 'rules.unit.m_s' : 'rules.unit.heights_s')}`
    const said = (value: number): string => number(value, 2)
    return { text, asked: limit(amount(rule, 'min_speed'), amount(rule, 'max_speed'), said, unit) }
  }

  function direction({ direction }: Alarm): Line | null {
    return te(`why.crossed.${direction}`) ? { text: t(`why.crossed.${direction}`), asked: '' } : null
  }

  function stayed({ explained, rule, kind }: Alarm): Line | null {
    if (!explained.stayed_s) return null
    const time = duration(explained.stayed_s)
    const text = kind === 'count' || kind === 'wrong_way' ? t('why.lasted', { time }) : t('why.stayed', { time })
    const least = amount(rule, 'stay_s') || amount(rule, 'for_s') || amount(rule, 'least_s')
    return { text, asked: limit(least, 0, duration) }
  }

  function count({ explained, rule, kind }: Alarm): Line | null {
    const count = number(explained.count)
    if (kind === 'line_count') {
      const [right, left] = explained.totals.map((total) => number(total))
      return { text: t('why.totals', { count, right, left }), asked: '' }
    }
    if (rule.kind !== 'count') return null
    const { at_least, at_most } = rule
    const asked = at_least ? t('why.least', { value: number(at_least) }) : t('why.most', { value: number(at_most ?? 0) })
    return { text: t('why.count', { count }), asked }
  }

  function why(alarm: Alarm): Why {
    const { rule, explained } = alarm
    const untested = explained.remarks.map(doubted)
    const passed = explained.weighed.filter((test) => !untested.includes(test))
    const kind = te(`rules.${rule.kind}`) ? t(`rules.${rule.kind}`) : ''
    return {
      rule: kind ? t('why.rule', { name: alarm.rule_name, kind }) : alarm.rule_name,
      lines: [seen, score, size, speed, direction, stayed, count].flatMap((said) => said(alarm) ?? []),
      doubts: explained.remarks.map((doubt) => remarks([doubt], doubt.text)),
      untested: untested.some(Boolean),
      tests: passed.map((test) => (te(`why.test.${test}`) ? t(`why.test.${test}`) : test)),
      condition: passed.includes('condition') ? rule.condition : '',
    }
  }

  return { why }
}
