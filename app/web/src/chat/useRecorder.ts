import { useEffect, useRef, useState } from 'react';

export type RecorderState = 'idle' | 'recording' | 'reading';

/** Whether this page may use the microphone: browsers allow it over HTTPS only (and on the device itself). */
export function canRecord(): boolean {
  return typeof MediaRecorder !== 'undefined' && 'mediaDevices' in navigator;
}

/** Records speech and has it written down. `onError` is told what the browser or the box refused. */
export function useRecorder(transcribe: ((sound: File) => Promise<string>) | undefined, onText: (text: string) => void, onError: (error: unknown) => void) {
  const [state, setState] = useState<RecorderState>('idle');
  const recorder = useRef<MediaRecorder | null>(null);
  useEffect(
    () => () => {
      const now = recorder.current;
      recorder.current = null;
      now?.stream.getTracks().forEach((track) => track.stop());
    },
    [],
  );
  const start = async () => {
    if (!transcribe) return;
    try {
      const stream = await navigator.mediaDevices.getUserMedia({ audio: true });
      const made = new MediaRecorder(stream);
      const parts: Blob[] = [];
      made.ondataavailable = (event) => parts.push(event.data);
      made.onstop = () => {
        stream.getTracks().forEach((track) => track.stop());
        if (recorder.current !== made) return;
        recorder.current = null;
        setState('reading');
        const type = made.mimeType.split(';')[0] ?? 'audio/webm';
        transcribe(new File(parts, `speech.${type.includes('mp4') ? 'm4a' : 'webm'}`, { type }))
          .then(onText, onError)
          .finally(() => setState('idle'));
      };
      recorder.current = made;
      made.start();
      setState('recording');
    } catch (error) {
      onError(error);
    }
  };
  const stop = () => recorder.current?.stop();
  return { state, start, stop };
}
