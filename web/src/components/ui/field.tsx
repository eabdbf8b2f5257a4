/** A labelled input with its error beneath; the error is tied to the input for readers. */
import { cloneElement, type InputHTMLAttributes, type ReactElement, type ReactNode, type Ref, useId } from "react";

interface FieldProps {
  label: ReactNode;
  hint?: ReactNode;
  error?: string | undefined;
  children: ReactElement<InputHTMLAttributes<HTMLInputElement>>;
}

export function Field({ label, hint, error, children }: FieldProps) {
  const id = useId();
  const message = error ?? hint;
  return (
    <div className="flex min-w-0 flex-col gap-1">
      <label htmlFor={id} className="text-dense text-muted">
        {label}
      </label>
      {cloneElement(children, { id, "aria-invalid": error ? true : undefined, "aria-describedby": message ? `${id}-note` : undefined })}
      {message && (
        <p id={`${id}-note`} className={`text-label ${error ? "text-critical" : "text-faint"}`}>
          {message}
        </p>
      )}
    </div>
  );
}

export function TextInput({ className = "", ref, ...rest }: InputHTMLAttributes<HTMLInputElement> & { ref?: Ref<HTMLInputElement> }) {
  return <input ref={ref} className={`control h-9 w-full min-w-0 px-2.5 text-form max-sm:min-h-11 aria-invalid:border-critical ${className}`} {...rest} />;
}
