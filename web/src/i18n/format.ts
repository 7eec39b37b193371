import { computed } from 'vue'
import { useI18n } from 'vue-i18n'

import { LANGUAGES } from '@/i18n'

const two = (value: number): string => String(value).padStart(2, '0')

/** "17:37:17" in the browser's time zone, the same in every language. */
export function clockTime(time: Date | string | number): string {
  const date = new Date(time)
  return `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`
}

/** "2026-11-22" in the browser's time zone. */
export function isoDay(date: Date): string {
  return `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`
}

export function useFormat() {
  const { locale, t } = useI18n()
  const tag = computed(() => LANGUAGES.find((language) => language.code === locale.value)?.tag ?? 'en-GB')

  const number = (value: number, digits = 0): string =>
    new Intl.NumberFormat(tag.value, { maximumFractionDigits: digits }).format(value)

  const day = (time: Date | string): string =>
    new Intl.DateTimeFormat(tag.value, { day: 'numeric', month: 'short', year: 'numeric' }).format(new Date(time))

  function dateTime(time: string): string {
    return `${day(time)} ${clockTime(time)}`
  }

  /** Only the clock for what happened today. */
  function moment(time: string): string {
    const date = new Date(time)
    if (isoDay(date) === isoDay(new Date())) return clockTime(date)
    const short = new Intl.DateTimeFormat(tag.value, { day: 'numeric', month: 'short' }).format(date)
    return `${short} ${clockTime(date)}`
  }

  function bytes(value: number): string {
    const units = ['B', 'kB', 'MB', 'GB', 'TB', 'PB']
    let rest = value
    let unit = 0
    while (rest >= 1000 && unit < units.length - 1) {
      rest /= 1000
      unit += 1
    }
    return `${number(rest, rest < 10 && unit > 0 ? 1 : 0)} ${units[unit]}`
  }

  const bitrate = (value: number): string =>
    value >= 1e6 ? `${number(value / 1e6, 1)} Mbit/s` : `${number(value / 1000)} kbit/s`

  function duration(seconds: number): string {
    if (seconds < 60) return t('units.seconds', { value: number(seconds, seconds < 10 ? 1 : 0) })
    if (seconds < 3600) return t('units.minutes', { value: number(seconds / 60) })
    return t('units.hours', { value: number(seconds / 3600, 1) })
  }

  /** "Mon" to "Sun". */
  const weekdays = computed(() => {
    const format = new Intl.DateTimeFormat(tag.value, { weekday: 'short', timeZone: 'UTC' })
    // 2024-01-01 was a Monday.
    return Array.from({ length: 7 }, (_, day) => format.format(Date.UTC(2024, 0, 1 + day)))
  })

  return { weekdays, number, day, dateTime, moment, bytes, bitrate, duration }
}

/** "H.264" for h264, "H.265" for h265. */
export function codecName(codec: string): string {
  if (/^(avc|h264)/i.test(codec)) return 'H.264'
  if (/^(hvc|hev|h265)/i.test(codec)) return 'H.265'
  return codec
}
