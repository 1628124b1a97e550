package io.fairlora.party;

import static com.google.common.base.Preconditions.checkArgument;

import io.fairlora.lora.LoraAdapter;
import io.fairlora.lora.LoraConfig;
import java.util.Map;

/** Checks of what arrives from the other party, before any of it is used. */
final class Received {

    /** How many times the norm of its own adapter a party accepts. */
    private static final double NORM_FACTOR = 100;

    /** Of U times that of V: far beyond a projection of features that are not all but collinear. */
    private static final double MAXIMUM_ERASER_NORM = 1e4;

    private static final double PROJECTION_TOLERANCE = 0.01;

    private Received() {}

    /** Checks that an adapter sent back has the form of the one sent, and sane numbers. */
    static LoraAdapter sameForm(LoraAdapter received, LoraAdapter sent) {
        LoraConfig kind = received.config();
        checkArgument(
                kind.dora() == sent.config().dora()
                        && kind.loraBias() == sent.config().loraBias()
                        && kind.bias() == sent.config().bias()
                        && kind.initialization() == sent.config().initialization()
                        && received.biases().keySet().equals(sent.biases().keySet()),
                "the auditor's adapter is of another kind: %s, expected %s",
                kind,
                sent.config());
        checkArgument(
                received.layers().keySet().equals(sent.layers().keySet()),
                "the auditor's adapter has the layers %s, expected %s",
                received.layers().keySet(),
                sent.layers().keySet());
        for (Map.Entry<String, LoraAdapter.Factors> layer : sent.layers().entrySet()) {
            LoraAdapter.Factors found = received.layer(layer.getKey());
            LoraAdapter.Factors expected = layer.getValue();
            checkArgument(
                    found.a().shape().equals(expected.a().shape())
                            && found.b().shape().equals(expected.b().shape())
                            && found.scale() == expected.scale(),
                    "layer %s of the auditor's adapter has A %s, B %s and scale %s, expected %s,"
                            + " %s and %s",
                    layer.getKey(),
                    found.a().shape(),
                    found.b().shape(),
                    found.scale(),
                    expected.a().shape(),
                    expected.b().shape(),
                    expected.scale());
        }
        checkArgument(
                received.savedModules().isEmpty(),
                "the auditor's adapter brings modules of its own: %s",
                received.savedModules().keySet());
        checkArgument(received.isFinite(), "the auditor's adapter has numbers that are not finite");
        checkArgument(
                received.factorNorm() <= NORM_FACTOR * sent.factorNorm(),
                "the auditor's adapter has the norm %s, at most %s times %s is accepted",
                received.factorNorm(),
                NORM_FACTOR,
                sent.factorNorm());
        return received;
    }

    /** Checks an eraser against the features it is to be applied to. */
    static LinearEraser fits(LinearEraser eraser, int featureSize) {
        checkArgument(
                eraser.featureSize() == featureSize,
                "the auditor's eraser maps %s features, the backbone has %s",
                eraser.featureSize(),
                featureSize);
        checkArgument(
                eraser.u().isFinite() && eraser.v().isFinite() && eraser.shift().isFinite(),
                "the auditor's eraser has numbers that are not finite");
        double norm = eraser.u().norm() * eraser.v().norm();
        checkArgument(
                norm <= MAXIMUM_ERASER_NORM,
                "the auditor's eraser has the norm %s, at most %s is accepted",
                norm,
                MAXIMUM_ERASER_NORM);
        double off = eraser.distanceFromProjection();
        checkArgument(
                off <= PROJECTION_TOLERANCE,
                "the auditor's eraser is no projection: V U differs from the identity by %s",
                off);
        return eraser;
    }

    /** Checks a candidate's eraser, if it has one, against the features. */
    static Candidate fits(Candidate candidate, int featureSize) {
        LinearEraser eraser = candidate.eraser();
        if (eraser != null) {
            checkArgument(
                    eraser.featureSize() == featureSize,
                    "the candidate's eraser maps %s features, the backbone has %s",
                    eraser.featureSize(),
                    featureSize);
            checkArgument(
                    eraser.u().isFinite() && eraser.v().isFinite() && eraser.shift().isFinite(),
                    "the candidate's eraser has numbers that are not finite");
        }
        return candidate;
    }
}
