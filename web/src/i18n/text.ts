import { useI18n } from 'vue-i18n'

import { Problem } from '@/api/http'
import type { Stream } from '@/api/types'

/** Words for what the server names by code: classes, problems, states. */
export function useTexts() {
  const { t, te, locale } = useI18n()

  const known = (key: string): string => (te(key) ? t(key) : '')

  /** English keeps the server's sentence, which is the most precise; other languages translate by code first. */
  function sentence(code: string, detail: string, key = `errors.${code}`): string {
    if (!code) return detail
    if (locale.value === 'en') return detail || known(key) || t('errors.unknown', { code })
    return known(key) || detail || t('errors.unknown', { code })
  }

  function problem(error: unknown): string {
    if (error instanceof Problem) return sentence(error.code, error.message)
    return error instanceof Error ? error.message : String(error)
  }

  function streamMessage(stream: Stream): string {
    if (!stream.code && !stream.message) return ''
    const key = stream.code === 'not_found' ? 'errors.stream_not_found' : `errors.${stream.code}`
    return sentence(stream.code, stream.message, key)
  }

  /** Why there is no footage, or that there is: the ledger's word and what it adds. */
  function reason(state: string, detail: string): string {
    const word = known(`reason.${state}`) || state
    const key = detail === 'not_found' ? 'errors.stream_not_found' : `errors.${detail}`
    const more = detail ? known(`reason.detail.${detail}`) || known(key).replace(/[.。]$/, '') : ''
    return more ? `${word} (${more})` : word
  }

  const label = (name: string): string => known(`label.${name}`) || name
  const detection = (name: string, score: number): string =>
    name === 'motion' ? label(name) : `${label(name)} ${Math.round(score * 100)}%`

  return { problem, streamMessage, sentence, reason, label, detection }
}
