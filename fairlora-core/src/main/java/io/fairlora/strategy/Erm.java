package io.fairlora.strategy;

/** Empirical risk minimisation. */
record Erm() implements DebiasStrategy {

    @Override
    public String name() {
        return "ERM";
    }

    @Override
    public boolean needsAuditor() {
        return false;
    }
}
