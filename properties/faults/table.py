"""The table of faults: known mistakes, which measure the laws."""

from properties.faults.fault import Fault
from properties.faults.of_activations import FAULTS_OF_ACTIVATIONS
from properties.faults.of_batches import FAULTS_OF_BATCHES
from properties.faults.of_biases import FAULTS_OF_BIASES
from properties.faults.of_conduct import FAULTS_OF_CONDUCT
from properties.faults.of_layers import FAULTS_OF_LAYERS
from properties.faults.of_losses import FAULTS_OF_LOSSES
from properties.faults.of_penalties import FAULTS_OF_PENALTIES
from properties.faults.of_rounding import FAULTS_OF_ROUNDING
from properties.faults.of_slopes import FAULTS_OF_SLOPES

FAULTS: dict[str, Fault] = {
    fault.name: fault
    for fault in (
        *FAULTS_OF_LOSSES,
        *FAULTS_OF_SLOPES,
        *FAULTS_OF_ACTIVATIONS,
        *FAULTS_OF_LAYERS,
        *FAULTS_OF_BATCHES,
        *FAULTS_OF_BIASES,
        *FAULTS_OF_PENALTIES,
        *FAULTS_OF_ROUNDING,
        *FAULTS_OF_CONDUCT,
    )
}
