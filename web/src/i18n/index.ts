import { createI18n } from 'vue-i18n'

import { en, type Messages } from '@/i18n/en'
import { zh } from '@/i18n/zh'

export type Language = 'en' | 'zh'
export const LANGUAGES: { code: Language; name: string; tag: string }[] = [
  { code: 'en', name: 'English', tag: 'en-GB' },
  { code: 'zh', name: '简体中文', tag: 'zh-CN' },
]

/** The first of the browser's languages that we speak. */
export function preferred(languages: readonly string[]): Language {
  for (const language of languages) {
    const short = language.toLowerCase().split('-')[0]
    if (short === 'zh' || short === 'en') return short
  }
  return 'en'
}

export const i18n = createI18n<[Messages], Language, false>({
  legacy: false,
  locale: 'en',
  fallbackLocale: 'en',
  messages: { en, zh },
})
