import { createSSRApp } from 'vue'
import { renderToString } from 'vue/server-renderer'
import { describe, expect, it } from 'vitest'

import type { Alarm, Explained, Remark } from '@/api/types'
import { i18n, type Language } from '@/i18n'
import { useWhy, type Why } from '@/i18n/why'

const NOTHING: Explained = {
  height: 0,
  height_m: null,
  speed: 0,
  speed_mps: null,
  scores: [0, 0, 0],
  evidence: [0, 0],
  stayed_s: 0,
  count: 0,
  totals: [0, 0],
  weighed: [],
  remarks: [],
}
const remark = (code: string, params: Remark['params'] = {}, text = code): Remark => ({ code, params, text })

function alarm(explained: Partial<Explained>, more: object = {}): Alarm {
  return {
    kind: 'tripwire',
    rule: { kind: 'tripwire', name: 'North fence' },
    rule_name: 'North fence',
    direction: '',
    score: 0.62,
    explained: { ...NOTHING, ...explained },
    ...more,
  } as unknown as Alarm
}

async function say(language: Language, told: Alarm): Promise<Why> {
  i18n.global.locale.value = language
  let said: Why | undefined
  const setup = () => {
    said = useWhy().why(told)
    return () => null
  }
  await renderToString(createSSRApp({ setup }).use(i18n))
  return said!
}

const lines = ({ lines }: Why): string[] => lines.map(({ text, asked }) => (asked ? `${text} | ${asked}` : text))

const measured = alarm(
  {
    height: 0.214,
    height_m: 1.724,
    speed: 0.81,
    speed_mps: 1.3,
    scores: [0.41, 0.62, 0.83],
    evidence: [14, 16],
    weighed: ['label', 'evidence', 'score', 'size', 'speed', 'arming', 'condition'],
    remarks: [remark('speed_too_soon'), remark('label_too', { label: 'horse' })],
  },
  {
    direction: 'left_to_right',
    rule: {
      kind: 'tripwire',
      min_hits: 3,
      of_pictures: 10,
      min_score: 0.4,
      min_height: 1.2,
      height_unit: 'm',
      min_speed: 0.1,
      max_speed: 3,
      speed_unit: 'heights',
      condition: 'speed > 0.1',
    },
  },
)

describe('why an alarm was raised', () => {
  it('is what was measured beside what the rule asks for', async () => {
    expect(lines(await say('en', measured))).toEqual([
      'Seen in 14 of 16 pictures | at least 3 of the last 10',
      'Confidence 0.41 to 0.83, mostly 0.62 | at least 0.4',
      '1.72 m high, 21 % of the picture’s height | at least 1.2 m',
      '1.3 m/s, 0.81 times its height a second | 0.1 to 3 heights/s',
      'Crossed left to right',
    ])
    expect(lines(await say('zh', measured))).toEqual([
      '16 幅画面中有 14 幅检测到 | 最近 10 幅中至少 3 幅',
      '置信度 0.41 至 0.83，多在 0.62 左右 | 至少 0.4',
      '高 1.72 米，占画面高度的 21 % | 至少 1.2 米',
      '速度 1.3 米/秒，每秒移动自身高度的 0.81 倍 | 0.1 至 3 高度/秒',
      '从左到右越过',
    ])
  })

  it('names the rule as it stood and its kind', async () => {
    expect((await say('en', measured)).rule).toBe('North fence (Tripwire)')
    expect((await say('zh', measured)).rule).toBe('North fence（绊线）')
    expect((await say('en', alarm({}, { rule: {} }))).rule).toBe('North fence')
  })

  it('tells tests that could not be made, and not among those that it passed', async () => {
    const said = await say('zh', measured)
    expect(said.doubts).toEqual(['无法检验速度：跟踪时间不够长。', '检测器也曾判为“马”。'])
    expect(said.untested).toBe(true)
    expect(said.tests).toEqual(['类别属于规则的目标', '检测次数足够', '置信度足够', '高度在限值之内', '规则已布防', '满足规则的条件'])
    expect(said.condition).toBe('speed > 0.1')
    const failed = alarm({ weighed: ['condition'], remarks: [remark('condition_failed', { detail: 'no such overload' })] })
    const condition = await say('en', failed)
    expect(condition.doubts).toEqual(['The rule’s condition could not be tested: no such overload.'])
    expect([condition.tests, condition.condition]).toEqual([[], ''])
  })

  it('knows what the detector said too from a test that could not be made', async () => {
    const said = await say('en', alarm({ remarks: [remark('label_too', { label: 'yak' })] }))
    expect([said.doubts, said.untested]).toEqual([['The detector called it “yak”, too.'], false])
  })

  it('keeps sentences of earlier versions', async () => {
    const old = remark('', {}, 'height: the ground is not calibrated there')
    const said = await say('zh', alarm({ weighed: ['label', 'size'], remarks: [old] }))
    expect(said.doubts).toEqual(['height: the ground is not calibrated there。'])
    expect([said.untested, said.tests]).toEqual([true, ['类别属于规则的目标']])
  })

  it('says of old alarms what there is', async () => {
    const said = await say('en', alarm({}))
    expect(lines(said)).toEqual(['Confidence 0.62'])
    expect([said.doubts, said.tests, said.untested]).toEqual([[], [], false])
    expect(lines(await say('en', alarm({}, { score: 0 })))).toEqual([])
  })

  it('says how long, how many, and which way', async () => {
    const loiter = alarm({ stayed_s: 42.4, scores: [0.5, 0.5, 0.5], evidence: [1, 1] }, { kind: 'loiter', rule: { kind: 'loiter', stay_s: 30 } })
    expect(lines(await say('en', loiter))).toEqual(['Seen in 1 of 1 picture', 'Confidence 0.5', 'Stayed for 42 s | at least 30 s'])
    const crowd = alarm({ stayed_s: 5, count: 0 }, { kind: 'count', score: 0, rule: { kind: 'count', at_least: null, at_most: 0, for_s: 5 } })
    expect(lines(await say('zh', crowd))).toEqual(['持续 5 秒 | 至少 5 秒', '同时有 0 个目标 | 至多 0'])
    const counted = alarm({ count: 1200, totals: [1150, 50] }, { kind: 'line_count', score: 0, rule: { kind: 'line_count' } })
    expect(lines(await say('en', counted))).toEqual(['1,200 crossings counted: 1,150 left to right, 50 right to left'])
  })
})
