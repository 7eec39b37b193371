import { computed } from 'vue'
import { useI18n } from 'vue-i18n'

import type { Schedule } from '@/api/types'
import { hoursText } from '@/draw/schedule'
import { useFormat } from '@/i18n/format'

/** Words for schedules. */
export function useHours() {
  const { t, locale } = useI18n()
  const { weekdays, number } = useFormat()
  const comma = computed(() => (locale.value === 'zh' ? '、' : ', '))

  /** "Mon–Fri 20:00–07:00 · Sat, Sun" */
  const hours = (schedule: Schedule): string => hoursText(schedule.windows, weekdays.value, comma.value)
  const zone = (schedule: Schedule): string => schedule.timezone || 'UTC'
  /** How many days are not like their weekday; empty for none. */
  const special = ({ special: days }: Schedule): string =>
    days.length ? t('schedules.special', { count: number(days.length) }, days.length) : ''

  return { hours, zone, special }
}
