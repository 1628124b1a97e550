/**
 * Accumulators of predictions by group, their immutable snapshots and the rates computed from them.
 *
 * <p>Every figure comes from a snapshot, never from raw data. Depends on DJL's {@code api}, Guava,
 * Jackson and Commons Statistics only.
 *
 * <p>Figures agree with Fairlearn 0.12, scikit-learn 1.9 and AIF360 0.6.1 to 1e-12, except on
 * purpose:
 *
 * <table border="1">
 * <caption>Where this library differs</caption>
 * <tr><th>Case</th><th>Here</th><th>There</th></tr>
 * <tr><td>rate over an empty denominator</td><td>undefined with its reason</td>
 *     <td>Fairlearn, scikit-learn: 0</td></tr>
 * <tr><td>difference or ratio with such a group</td>
 *     <td>left out and noted, undefined or refused, as the caller says</td>
 *     <td>Fairlearn: the 0 takes part</td></tr>
 * <tr><td>balanced accuracy without positives or without negatives</td><td>undefined</td>
 *     <td>scikit-learn: recall of the class there is</td></tr>
 * <tr><td>difference or ratio between groups when there is one group</td><td>undefined</td>
 *     <td>Fairlearn: 0 or 1</td></tr>
 * <tr><td>ratio when the rate is 0 in every group</td><td>undefined</td>
 *     <td>Fairlearn: NaN</td></tr>
 * <tr><td>equalized odds when one of its two ratios is undefined</td><td>undefined</td>
 *     <td>Fairlearn: the other one alone</td></tr>
 * <tr><td>inequality of weighted examples</td><td>weights count</td>
 *     <td>AIF360: weights are ignored</td></tr>
 * <tr><td>generalized entropy index for alpha 0</td><td>-1/n sum ln(b / mean)</td>
 *     <td>AIF360: divided once more by the mean</td></tr>
 * <tr><td>differential fairness</td><td>all classes of the task are smoothed</td>
 *     <td>AIF360's scikit-learn interface: the classes that occur in the group; its class-based
 *     one agrees</td></tr>
 * <tr><td>AUC of one class</td><td>undefined</td><td>scikit-learn: NaN and a warning</td></tr>
 * </table>
 */
@NullMarked
package io.fairlora.metrics;

import org.jspecify.annotations.NullMarked;
