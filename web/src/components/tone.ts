/** Of a state: well, on its way or in doubt, wrong. */
export type Tone = 'ok' | 'warn' | 'danger'
