import { defineStore } from 'pinia'
import { computed, ref } from 'vue'

import { account } from '@/api/endpoints'
import { useAccess } from '@/api/http'
import type { Session, User } from '@/api/types'

const KEY = 'perishield.session'

interface Kept {
  token: string
  user: User
  /** Milliseconds since 1970. */
  until: number
}

function read(): Kept | null {
  try {
    const kept = JSON.parse(localStorage.getItem(KEY) ?? 'null') as Kept | null
    return kept && kept.until > Date.now() ? kept : null
  } catch {
    return null
  }
}

export const useSession = defineStore('session', () => {
  const kept = ref<Kept | null>(read())
  const expired = ref(false)
  const setupNeeded = ref<boolean | null>(null)
  let timer = 0

  const token = computed(() => kept.value?.token ?? '')
  const user = computed(() => kept.value?.user ?? null)
  const signedIn = computed(() => kept.value !== null)

  function keep(session: Session): void {
    kept.value = {
      token: session.access_token,
      user: session.user,
      until: Date.now() + session.expires_in * 1000,
    }
    localStorage.setItem(KEY, JSON.stringify(kept.value))
    expired.value = false
    setupNeeded.value = false
    watchClock()
  }

  function signOut(): void {
    kept.value = null
    window.clearTimeout(timer)
    localStorage.removeItem(KEY)
  }

  /** The server no longer takes the token. */
  function end(): void {
    if (!kept.value) return
    signOut()
    expired.value = true
  }

  function watchClock(): void {
    window.clearTimeout(timer)
    if (kept.value) timer = window.setTimeout(end, Math.min(kept.value.until - Date.now(), 2 ** 31 - 1))
  }

  async function login(username: string, password: string): Promise<void> {
    keep(await account.login(username, password))
  }

  async function setup(setupToken: string, username: string, password: string): Promise<void> {
    keep(await account.setup(setupToken, username, password))
  }

  async function checkSetup(): Promise<boolean> {
    if (setupNeeded.value === null) setupNeeded.value = (await account.setupNeeded()).needed
    return setupNeeded.value
  }

  // Another tab signed in or out.
  window.addEventListener('storage', (event) => {
    if (event.key === KEY) kept.value = read()
  })
  useAccess({ token: () => token.value, refused: end })
  watchClock()

  return { token, user, signedIn, expired, login, setup, checkSetup, signOut, end }
})
