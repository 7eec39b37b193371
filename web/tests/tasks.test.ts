import { createPinia } from 'pinia'
import { describe, expect, it } from 'vitest'
import { createSSRApp } from 'vue'
import { renderToString } from 'vue/server-renderer'

import { CONDITIONS, type Task, type TaskState } from '@/api/tasks'
import type { Schedule } from '@/api/types'
import { i18n, type Language } from '@/i18n'
import { useTaskWords } from '@/tasks/words'

async function words(language: Language): Promise<ReturnType<typeof useTaskWords>> {
  i18n.global.locale.value = language
  let found: ReturnType<typeof useTaskWords>
  const setup = () => {
    found = useTaskWords()
    return () => null
  }
  await renderToString(createSSRApp({ setup }).use(i18n).use(createPinia()))
  return found!
}

const state: TaskState = {
  condition: 'running', since: '2026-05-04T21:14:07Z', model: 'motion', provider: 'cpu', pictures: 1200, first: '', code: '', message: '',
}
const task = (part: Partial<TaskState>): Task => ({
  id: 'night', name: 'Night', camera: 'gate', model: '', schedule: null, schedule_id: null, priority: 0, fps: null, min_score: null,
  started: true, revision: 1, state: { ...state, ...part },
})
const week = (part: Partial<Schedule>): Schedule => ({
  windows: [{ days: [4, 0, 1, 2, 3], start: 1200, end: 420 }], timezone: 'UTC', special: [], day_off_like: 6, working_like: 0, ...part,
})
const named = (id: string): string => (id === 'day' ? 'By day' : id)

describe('hours of a task', () => {
  it('are told in short, with the zone where it is another', async () => {
    const { hours } = await words('en')
    expect(hours(null)).toBe('Always')
    expect(hours(week({}), 'UTC')).toBe('Mon–Fri 20:00–07:00')
    expect(hours(week({ timezone: '' }), 'Europe/Berlin')).toBe('Mon–Fri 20:00–07:00 (UTC)')
    const all = { days: [0, 1, 2, 3, 4, 5, 6], start: 0, end: 1440 }
    expect(hours(week({ windows: [all], special: [{ date: '2026-12-25', counts_as: 'day_off' }] }), 'UTC')).toBe(
      'Mon–Sun · one special day',
    )
    expect(hours(week({ windows: [all, all, all, all] }), 'UTC')).toMatch(/ · …$/)
    expect((await words('zh')).hours(week({}), 'UTC')).toBe('周一–周五 20:00–07:00')
  })
})

describe('why a task does not look', () => {
  it.each(CONDITIONS)('is said for %s', async (condition) => {
    for (const language of ['en', 'zh'] as const) {
      const told = (await words(language)).why(task({ condition, first: 'day' }), named)
      expect(told).not.toBe('')
      expect(told).not.toMatch(/tasks\.|[{}]/)
    }
  })

  it('names the task that goes first, and what looks', async () => {
    const { why } = await words('en')
    expect(why(task({ condition: 'standby', first: 'day' }), named)).toContain('“By day” goes first')
    expect(why(task({}), named)).toBe('With: Movement alone on CPU. 1,200 pictures so far.')
  })

  it('is told in the language of the console where there is a code', async () => {
    const { why } = await words('zh')
    expect(why(task({ condition: 'failed', code: 'model_missing', message: 'model x: none' }), named)).toBe('其模型已不再安装。')
    expect(why(task({ condition: 'waiting', code: 'not_found', message: '404' }), named)).toContain('摄像机')
    expect(why(task({ condition: 'failed', code: 'of_tomorrow', message: 'who knows' }), named)).toBe('who knows')
  })
})
