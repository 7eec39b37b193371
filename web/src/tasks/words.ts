import { useI18n } from 'vue-i18n'

import { providerName } from '@/api/seeing'
import type { Task, TaskState } from '@/api/tasks'
import type { Schedule } from '@/api/types'
import { useFormat } from '@/i18n/format'
import { useHours } from '@/i18n/hours'
import { useTexts } from '@/i18n/text'

/** Words for tasks: what they are to do, and why they do not do it just now. */
export function useTaskWords() {
  const { t, te } = useI18n()
  const { number } = useFormat()
  const schedules = useHours()
  const { sentence } = useTexts()

  const model = (name: string): string => (name === '' ? t('tasks.siteModel') : name === 'motion' ? t('tasks.motion') : name)

  /** "Mon–Fri 20:00–07:00 · Sat, Sun"; the zone where it is not this browser's. */
  function hours(schedule: Schedule | null, here = Intl.DateTimeFormat().resolvedOptions().timeZone): string {
    if (!schedule) return t('tasks.always')
    const told = [schedules.hours(schedule), schedules.special(schedule)].filter(Boolean).join(' · ')
    const zone = schedules.zone(schedule)
    return told + (zone === here ? '' : ` (${zone})`)
  }

  function fault(state: TaskState): string {
    const own = `tasks.fault.${state.code}`
    if (te(own)) return t(own)
    return sentence(state.code, state.message, state.code === 'not_found' ? 'errors.stream_not_found' : undefined)
  }

  /** `name`: what another task is called. */
  function why(task: Task, name: (id: string) => string): string {
    const { state } = task
    if ((state.condition === 'failed' || state.condition === 'waiting') && (state.code || state.message)) return fault(state)
    const looking = model(state.model)
    return t(`tasks.why.${state.condition}`, {
      model: state.provider ? t('tasks.on', { model: looking, provider: providerName(state.provider) }) : looking,
      pictures: number(state.pictures),
      first: name(state.first),
    })
  }

  return { model, hours, why }
}
