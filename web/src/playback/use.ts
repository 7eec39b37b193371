import { onBeforeUnmount, reactive } from 'vue'

import { Deck } from '@/playback/deck'
import type { ScreenState } from '@/playback/screen'
import { useSession } from '@/stores/session'

export interface PlaybackState {
  open: boolean
  /** Milliseconds since 1970 of the picture shown. */
  time: number
  playing: boolean
  waiting: boolean
  over: boolean
  speed: number
  sound: boolean
  /** The first camera's footage has sound. */
  audible: boolean
  screens: ScreenState[]
}

/** A deck as a component uses it: its state is reactive, and it ends with the component. */
export function usePlayback(skipped: (from: number, to: number) => void) {
  const session = useSession()
  const state = reactive<PlaybackState>({
    open: false,
    time: 0,
    playing: false,
    waiting: false,
    over: false,
    speed: 1,
    sound: false,
    audible: false,
    screens: [],
  })
  let deck: Deck | null = null

  function changed(): void {
    if (!deck) return
    state.time = deck.time
    state.playing = deck.playing
    state.waiting = deck.waiting
    state.over = deck.over
    state.speed = deck.speed
    state.audible = deck.audible
    if (state.screens.join() !== deck.states.join()) state.screens = [...deck.states]
  }

  function open(
    videos: HTMLVideoElement[],
    range: { cameras: string[]; from: number; to: number; at: number },
    playing: boolean,
  ): void {
    close()
    deck = new Deck(videos, { ...range, speed: state.speed }, () => session.token, {
      changed,
      skipped,
      refused: () => session.renew(),
    })
    deck.sound = state.sound
    if (!playing) deck.pause()
    state.open = true
    changed()
  }

  function close(): void {
    deck?.close()
    deck = null
    state.open = false
    state.time = 0
    state.playing = false
    state.screens = []
  }

  onBeforeUnmount(close)

  return {
    state,
    open,
    close,
    toggle: () => (state.playing ? deck?.pause() : deck?.play()),
    play: () => deck?.play(),
    pause: () => deck?.pause(),
    seek: (time: number) => deck?.seek(time),
    step: (by: 1 | -1) => deck?.step(by),
    setSound: (on: boolean) => {
      state.sound = on
      if (deck) deck.sound = on
    },
    setSpeed: (speed: number) => {
      state.speed = speed
      deck?.setSpeed(speed)
    },
  }
}

export type Playback = ReturnType<typeof usePlayback>
